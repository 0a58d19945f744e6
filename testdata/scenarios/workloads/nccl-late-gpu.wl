# Rank 2 comes late to the all-reduce: a kernel before it is slow, and the host waits
# for it first.
# Expected: collective_wait on ranks 0, 1 and 3; rank 2 the straggler, gpu_busy
set steps 300
set dir /var/tmp
set cpu 0
set go ""      # start when this file exists
set ready ""   # made, with the pid inside, when the warm-up of all ranks is over
set ranks 4
nccl-id id
pipe up

process late-gpu-@ count=$ranks {
  cudaSetDevice device=0
  cudaStreamCreateWithFlags flags=1 out=s
  cudaMalloc bytes=64m out=d
  cudaLaunchKernel func=gemm stream=s
  cudaLaunchKernel func=prefill stream=s ns=1ms
  ncclCommInitRank nranks=$ranks id=id rank=@ out=comm expect=0
  ncclAllReduce send=d recv=d count=8m dtype=bf16 op=sum comm=comm stream=s
  cudaStreamSynchronize stream=s
  write up 1
  if $go { wait-file $go }

  repeat $steps {
    spin 200us
    repeat 20 { cudaLaunchKernel func=gemm grid=64 block=256 ns=100us stream=s }
    only 2 { every 150ms { cudaLaunchKernel func=prefill grid=2048 block=256 ns=30ms stream=s } }
    cudaStreamSynchronize stream=s
    ncclAllReduce send=d recv=d count=8m dtype=bf16 op=sum comm=comm stream=s
    cudaStreamSynchronize stream=s
  }
  ncclCommDestroy comm=comm expect=0
}
read up $ranks
if $ready { ready $ready }
join
