# Allocations take the time of a step.
# Expected: memory_management
set steps 300
set dir /var/tmp
set cpu 0
set go ""      # start when this file exists
set ready ""   # made, with the pid inside, when the warm-up is over

name malloc-storm
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
  every 150ms { setting malloc_ns 500us; repeat 50 { cudaMalloc bytes=1m out=x; cudaFree ptr=x }; setting malloc_ns 0 }
  cudaStreamSynchronize stream=s
}
