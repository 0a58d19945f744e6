# More launches than the queue of the GPU stream has room for.
# Expected: launch_queue_full
set steps 300
set dir /var/tmp
set cpu 0
set go ""      # start when this file exists
set ready ""   # made, with the pid inside, when the warm-up is over

name queue-full
cudaSetDevice device=0
cudaStreamCreateWithFlags flags=1 out=s
cudaMalloc bytes=64m out=d
cudaMallocHost bytes=64k out=h
cudaLaunchKernel func=gemm stream=s
cudaLaunchKernel func=prefill stream=s ns=1ms
cudaStreamSynchronize stream=s
if $ready { ready $ready }
if $go { wait-file $go }

repeat $steps {
  spin 200us
  repeat 20 { cudaLaunchKernel func=gemm grid=64 block=256 ns=100us stream=s }
  every 450ms { cudaLaunchKernel func=gemm grid=1 block=32 ns=100us stream=s times=3500 }
  cudaStreamSynchronize stream=s
}
