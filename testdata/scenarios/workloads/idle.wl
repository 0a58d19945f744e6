# A server that waits for requests: a thread of its own brings them, and waits for the outside.
# Expected: nothing
set steps 300
set dir /var/tmp
set cpu 0
set go ""      # start when this file exists
set ready ""   # made, with the pid inside, when the warm-up is over

name idle
cudaSetDevice device=0
cudaStreamCreateWithFlags flags=1 out=s
cudaLaunchKernel func=gemm stream=s
cudaStreamSynchronize stream=s
if $ready { ready $ready }
if $go { wait-file $go }

pipe ask
pipe network   # nothing ever comes: it ends by its timeout
thread input daemon { repeat 1000 { read ask 1; poll network 50ms; barrier answer 2 } }
repeat $steps {
  spin 200us
  repeat 20 { cudaLaunchKernel func=gemm grid=64 block=256 ns=100us stream=s }
  every 150ms { write ask 1; barrier answer 2 }
  cudaStreamSynchronize stream=s
}
