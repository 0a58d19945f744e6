# Every 50th step rank 2 calls ncclAllGather where the others call ncclAllReduce:
# six times, at sequence numbers 51, 101, ... 301 of the communicator (1 is the warm-up).
# hang=0: the operations end as if they matched. hang=1: the first never ends, until a
# watchdog aborts the communicator a second later, as that of PyTorch does.
# Expected: desynchronised at these sequence numbers, rank 2 named; hang=1: and never completed
set steps 300
set dir /var/tmp
set cpu 0
set go ""      # start when this file exists
set ready ""   # made, with the pid inside, when the warm-up of all ranks is over
set ranks 4
set hang 0
unless $hang { setting nccl_desync 1 }
nccl-id id
pipe up

process desync-@ count=$ranks {
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

  thread watchdog daemon { if $hang { sleep 1500ms; ncclCommAbort comm=comm; sleep 200ms; exit 0 } }
  repeat 6 {
    repeat 49 {
      spin 200us
      repeat 20 { cudaLaunchKernel func=gemm grid=64 block=256 ns=100us stream=s }
      ncclAllReduce send=d recv=d count=8m dtype=bf16 op=sum comm=comm stream=s
      cudaStreamSynchronize stream=s
    }
    spin 200us
    repeat 20 { cudaLaunchKernel func=gemm grid=64 block=256 ns=100us stream=s }
    only 2 { ncclAllGather send=d recv=d count=8m dtype=bf16 comm=comm stream=s }
    except 2 { ncclAllReduce send=d recv=d count=8m dtype=bf16 op=sum comm=comm stream=s }
    cudaStreamSynchronize stream=s
  }
  ncclCommDestroy comm=comm expect=0
}
read up $ranks
if $ready { ready $ready }
join
