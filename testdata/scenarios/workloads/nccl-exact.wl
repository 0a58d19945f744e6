# Eight ranks, 10007 collectives of every operation and of many sizes, with one
# wait for several of them: all of it known exactly.
# Per rank, in this order: 1 warm-up, 1000 times the ten of the block, 6 at the end.
set go ""      # start when this file exists
set ready ""   # made, with the pid inside, when the warm-up of all ranks is over
set ranks 8
nccl-id id
pipe up

process exact-@ count=$ranks {
  cudaSetDevice device=0
  cudaStreamCreateWithFlags flags=1 out=s
  cudaMalloc bytes=64m out=d
  ncclCommInitRank nranks=$ranks id=id rank=@ out=comm expect=0
  ncclAllReduce send=d recv=d count=1 dtype=int32 op=max comm=comm stream=s
  cudaStreamSynchronize stream=s
  write up 1
  if $go { wait-file $go }

  repeat 1000 {
    ncclAllReduce send=d recv=d count=1m dtype=bf16 op=sum comm=comm stream=s
    ncclReduceScatter send=d recv=d count=131 dtype=f32 op=avg comm=comm stream=s
    ncclAllGather send=d recv=d count=77 dtype=int8 comm=comm stream=s
    cudaStreamSynchronize stream=s
    ncclReduce send=d recv=d count=1009 dtype=f64 op=prod root=3 comm=comm stream=s
    ncclBroadcast send=d recv=d count=5 dtype=f16 root=7 comm=comm stream=s
    ncclBcast buff=d count=6 dtype=int64 root=0 comm=comm stream=s
    ncclAlltoAll send=d recv=d count=7 dtype=uint8 comm=comm stream=s
    ncclGather send=d recv=d count=8 dtype=uint32 root=1 comm=comm stream=s
    ncclScatter send=d recv=d count=9 dtype=f8e4m3 root=2 comm=comm stream=s
    ncclAllReduce send=d recv=d count=4099 dtype=f32 op=min comm=comm stream=s
    cudaStreamSynchronize stream=s
  }
  repeat 6 { ncclAllReduce send=d recv=d count=3 dtype=uint64 op=max comm=comm stream=s; cudaStreamSynchronize stream=s }
  ncclCommDestroy comm=comm expect=0
}
read up $ranks
if $ready { ready $ready }
join
