# Two communicators of the same ranks, the second in reverse order (rank 2 of the
# first is rank 1 of the second), each on a GPU stream of its own, take turns. Rank 2 of
# the first comes late to the second one: it computes for long.
# Expected: collective_wait on ranks 0, 1 and 3; rank 1 of the second communicator the
# straggler, host_code; no straggler in the first
set steps 300
set dir /var/tmp
set cpu 0
set go ""      # start when this file exists
set ready ""   # made, with the pid inside, when the warm-up of all ranks is over
set ranks 4
nccl-id id
pipe up

process two-comms-@ count=$ranks {
  cudaSetDevice device=0
  cudaStreamCreateWithFlags flags=1 out=s
  cudaMalloc bytes=64m out=d
  cudaStreamCreateWithFlags flags=1 out=t
  let back0 3; let back1 2; let back2 1; let back3 0
  cudaLaunchKernel func=silu stream=t
  cudaLaunchKernel func=gemm stream=s
  cudaLaunchKernel func=prefill stream=s ns=1ms
  ncclCommInitRank nranks=$ranks id=id rank=@ out=comm expect=0
  ncclCommSplit comm=comm color=0 key=back@ out=other expect=0
  ncclAllReduce send=d recv=d count=8m dtype=bf16 op=sum comm=comm stream=s
  ncclAllReduce send=d recv=d count=8m dtype=f32 op=sum comm=other stream=t
  cudaStreamSynchronize stream=t
  cudaStreamSynchronize stream=s
  write up 1
  if $go { wait-file $go }

  repeat $steps {
    spin 200us
    repeat 10 { cudaLaunchKernel func=gemm grid=64 block=256 ns=100us stream=s }
    ncclAllReduce send=d recv=d count=8m dtype=bf16 op=sum comm=comm stream=s
    cudaStreamSynchronize stream=s
    repeat 10 { cudaLaunchKernel func=silu grid=64 block=256 ns=100us stream=t }
    only 2 { every 150ms { burn 25ms } }
    ncclAllReduce send=d recv=d count=4m dtype=f32 op=sum comm=other stream=t
    cudaStreamSynchronize stream=t
  }
  ncclCommDestroy comm=other expect=0
  ncclCommDestroy comm=comm expect=0
}
read up $ranks
if $ready { ready $ready }
join
