# Rank 2 comes late to the all-reduce: its next batch comes late from a worker
# process that waits for the disk.
# Expected: collective_wait on ranks 0, 1 and 3; rank 2 the straggler, input_wait; its
# loader and its disk reads
set steps 300
set dir /var/tmp
set cpu 0
set go ""      # start when this file exists
set ready ""   # made, with the pid inside, when the warm-up of all ranks is over
set ranks 4
make-file $dir/gpucause-batches 16m
nccl-id id
pipe up

process late-loader-@ count=$ranks {
  cudaSetDevice device=0
  cudaStreamCreateWithFlags flags=1 out=s
  cudaMalloc bytes=64m out=d
  pipe ask
  pipe batch
  process loader-@ daemon {
    repeat 1000000 {
      read ask 1
      only 2 { every 150ms { loop 25ms { read-file $dir/gpucause-batches 16m direct chunk=1m } } }
      write batch 64
    }
  }
  cudaLaunchKernel func=gemm stream=s
  cudaLaunchKernel func=prefill stream=s ns=1ms
  ncclCommInitRank nranks=$ranks id=id rank=@ out=comm expect=0
  ncclAllReduce send=d recv=d count=8m dtype=bf16 op=sum comm=comm stream=s
  cudaStreamSynchronize stream=s
  write up 1
  if $go { wait-file $go }

  repeat $steps {
    write ask 1
    poll batch
    read batch 64
    spin 200us
    repeat 20 { cudaLaunchKernel func=gemm grid=64 block=256 ns=100us stream=s }
    ncclAllReduce send=d recv=d count=8m dtype=bf16 op=sum comm=comm stream=s
    cudaStreamSynchronize stream=s
  }
  ncclCommDestroy comm=comm expect=0
}
read up $ranks
if $ready { ready $ready }
join
