# The communicator of two ranks is older than the tracing. With --fresh=1 both make
# another one afterwards; then it can be learnt where the library keeps a rank.
# Rank 1 comes late now and then: it sleeps.
# Expected: --fresh=0: collectives without rank, size and number; --fresh=1: soon with
# rank and size, without number
set fresh 0
set dir /var/tmp
set go ""      # start when this file exists
set ready ""   # made, with the pid inside, when the warm-up of all ranks is over
set ranks 2
nccl-id id
nccl-id second
pipe up

process late-attach-@ count=$ranks {
  cudaSetDevice device=0
  cudaStreamCreateWithFlags flags=1 out=s
  ncclCommInitRank nranks=$ranks id=id rank=@ out=comm expect=0
  ncclAllReduce count=1k dtype=bf16 op=sum comm=comm stream=s
  cudaStreamSynchronize stream=s
  write up 1
  if $go { wait-file $go }

  if $fresh { ncclCommInitRank nranks=$ranks id=second rank=@ out=other expect=0; ncclAllReduce count=1k comm=other stream=s }
  repeat 1500 {
    spin 200us
    only 1 { every 100ms { sleep 20ms } }
    ncclAllReduce count=1k dtype=bf16 op=sum comm=comm stream=s
    cudaStreamSynchronize stream=s
  }
  ncclCommDestroy comm=comm expect=0
}
read up $ranks
if $ready { ready $ready }
join
