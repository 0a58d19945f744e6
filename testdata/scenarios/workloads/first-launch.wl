# The first launch of a function loads its module.
# Expected: module_load, three times
set steps 300
set dir /var/tmp
set cpu 0
set go ""      # start when this file exists
set ready ""   # made, with the pid inside, when the warm-up is over

name first-launch
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
  after 150ms { setting module_load_ns 40ms; cudaLaunchKernel func=cold stream=s ns=10us; setting module_load_ns 0 }
  after 300ms { setting module_load_ns 40ms; cudaLaunchKernel func=silu stream=s ns=10us; setting module_load_ns 0 }
  after 450ms { setting module_load_ns 40ms; cudaLaunchKernel func=softmax stream=s ns=10us; setting module_load_ns 0 }
  cudaStreamSynchronize stream=s
}
