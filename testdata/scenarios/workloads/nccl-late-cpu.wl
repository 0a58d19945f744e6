# Rank 2 comes late to the all-reduce: another process takes its CPU while it launches.
# Expected: collective_wait on ranks 0, 1 and 3; rank 2 the straggler, cpu_contention;
# preempted by "hog"
set steps 300
set dir /var/tmp
set cpu 0
set go ""      # start when this file exists
set ready ""   # made, with the pid inside, when the warm-up of all ranks is over
set ranks 4
set other 1    # the CPU of the other ranks
process hog daemon { pin $cpu; fifo 10; repeat 1000000 { sleep 150ms; burn 30ms } }
nccl-id id
pipe up

process late-cpu-@ count=$ranks {
  cudaSetDevice device=0
  cudaStreamCreateWithFlags flags=1 out=s
  cudaMalloc bytes=64m out=d
  cudaLaunchKernel func=gemm stream=s
  cudaLaunchKernel func=prefill stream=s ns=1ms
  ncclCommInitRank nranks=$ranks id=id rank=@ out=comm expect=0
  ncclAllReduce send=d recv=d count=8m dtype=bf16 op=sum comm=comm stream=s
  only 2 { pin $cpu }
  except 2 { pin $other }
  cudaStreamSynchronize stream=s
  write up 1
  if $go { wait-file $go }

  repeat $steps {
    repeat 20 { cudaLaunchKernel func=gemm grid=64 block=256 ns=100us stream=s; spin 20us }
    ncclAllReduce send=d recv=d count=8m dtype=bf16 op=sum comm=comm stream=s
    cudaStreamSynchronize stream=s
  }
  ncclCommDestroy comm=comm expect=0
}
read up $ranks
if $ready { ready $ready }
join
