# A ring: every step each rank sends to the next one and receives from the one
# before, in one group. Rank 1 comes late to it: it computes for long.
# Expected: collective_wait on ranks 0 and 2, whose peer it is; rank 1 the straggler of
# the pairs 0-1 and 1-2, host_code. A step later on rank 3; ranks 2 and 0 the stragglers
# of the pairs 2-3 and 3-0, collective_wait
set steps 300
set dir /var/tmp
set cpu 0
set go ""      # start when this file exists
set ready ""   # made, with the pid inside, when the warm-up of all ranks is over
set ranks 4
nccl-id id
pipe up

process send-recv-@ count=$ranks {
  cudaSetDevice device=0
  cudaStreamCreateWithFlags flags=1 out=s
  cudaMalloc bytes=64m out=d
  cudaLaunchKernel func=gemm stream=s
  cudaLaunchKernel func=prefill stream=s ns=1ms
  ncclCommInitRank nranks=$ranks id=id rank=@ out=comm expect=0
  let next0 1; let next1 2; let next2 3; let next3 0
  let before0 3; let before1 0; let before2 1; let before3 2
  ncclGroupStart
  ncclSend buff=d count=2m dtype=bf16 peer=next@ comm=comm stream=s
  ncclRecv buff=d count=2m dtype=bf16 peer=before@ comm=comm stream=s
  ncclGroupEnd expect=0
  cudaStreamSynchronize stream=s
  write up 1
  if $go { wait-file $go }

  repeat $steps {
    spin 200us
    repeat 20 { cudaLaunchKernel func=gemm grid=64 block=256 ns=100us stream=s }
    cudaStreamSynchronize stream=s
    only 1 { every 150ms { burn 25ms } }
    ncclGroupStart
    ncclSend buff=d count=2m dtype=bf16 peer=next@ comm=comm stream=s
    ncclRecv buff=d count=2m dtype=bf16 peer=before@ comm=comm stream=s
    ncclGroupEnd
    cudaStreamSynchronize stream=s
  }
  ncclCommDestroy comm=comm expect=0
}
read up $ranks
if $ready { ready $ready }
join
