# Another process takes the CPU of the dispatcher while it launches.
# Expected: cpu_contention; preempted by "hog"
set steps 300
set dir /var/tmp
set cpu 0
set go ""      # start when this file exists
set ready ""   # made, with the pid inside, when the warm-up is over
process hog daemon { pin $cpu; fifo 10; repeat 1000000 { sleep 150ms; burn 25ms } }

name cpu-contention
cudaSetDevice device=0
cudaStreamCreateWithFlags flags=1 out=s
cudaMalloc bytes=64m out=d
cudaMallocHost bytes=64k out=h
cudaLaunchKernel func=gemm stream=s
cudaLaunchKernel func=prefill stream=s ns=1ms
cudaStreamSynchronize stream=s
pin $cpu
if $ready { ready $ready }
if $go { wait-file $go }

repeat $steps {
  repeat 20 { cudaLaunchKernel func=gemm grid=64 block=256 ns=20us stream=s; spin 100us }
  cudaStreamSynchronize stream=s
}
