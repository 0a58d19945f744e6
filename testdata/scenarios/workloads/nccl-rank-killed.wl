# Rank 2 is killed after 150 steps, as by the OOM killer. The others wait for it in
# the next all-reduce (sequence number 152; 1 is the warm-up), until a watchdog aborts
# the communicator a second later, as that of PyTorch does.
# Expected: the collective 152 is not completed, rank 2 missing
set steps 300
set dir /var/tmp
set cpu 0
set go ""      # start when this file exists
set ready ""   # made, with the pid inside, when the warm-up of all ranks is over
set ranks 4
nccl-id id
pipe up

process rank-killed-@ count=$ranks {
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

  repeat 150 {
    spin 200us
    repeat 20 { cudaLaunchKernel func=gemm grid=64 block=256 ns=100us stream=s }
    ncclAllReduce send=d recv=d count=8m dtype=bf16 op=sum comm=comm stream=s
    cudaStreamSynchronize stream=s
  }
  only 2 { kill }
  thread watchdog { sleep 1s; ncclCommAbort comm=comm }
  spin 200us
  ncclAllReduce send=d recv=d count=8m dtype=bf16 op=sum comm=comm stream=s
  cudaStreamSynchronize stream=s
}
read up $ranks
if $ready { ready $ready }
join
