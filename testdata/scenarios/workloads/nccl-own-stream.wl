# As PyTorch does it: collectives have a GPU stream of their own, which no thread
# waits for; the compute stream waits for an event, the host for the compute stream, and
# a watchdog asks now and then whether the event is over. Rank 2 comes late: it reads
# from the disk.
# Expected: collective_wait on ranks 0, 1 and 3, in the wait for the compute stream; rank
# 2 the straggler, io
set steps 300
set dir /var/tmp
set cpu 0
set go ""      # start when this file exists
set ready ""   # made, with the pid inside, when the warm-up of all ranks is over
set ranks 4
make-file $dir/gpucause-weights 16m
nccl-id id
pipe up

process own-stream-@ count=$ranks {
  cudaSetDevice device=0
  cudaStreamCreateWithFlags flags=1 out=s
  cudaMalloc bytes=64m out=d
  cudaStreamCreateWithFlags flags=1 out=c
  cudaEventCreateWithFlags flags=2 out=computed
  cudaEventCreateWithFlags flags=2 out=reduced
  cudaEventRecord event=reduced stream=c
  thread watchdog daemon { repeat 1000000 { cudaEventQuery event=reduced; sleep 100ms } }
  cudaLaunchKernel func=gemm stream=s
  cudaLaunchKernel func=add stream=s
  cudaLaunchKernel func=prefill stream=s ns=1ms
  ncclCommInitRank nranks=$ranks id=id rank=@ out=comm expect=0
  ncclAllReduce send=d recv=d count=8m dtype=bf16 op=sum comm=comm stream=c
  cudaStreamSynchronize stream=c
  cudaStreamSynchronize stream=s
  write up 1
  if $go { wait-file $go }

  repeat $steps {
    only 2 { every 150ms { loop 25ms { read-file $dir/gpucause-weights 16m direct chunk=1m } } }
    spin 200us
    repeat 20 { cudaLaunchKernel func=gemm grid=64 block=256 ns=100us stream=s }
    cudaEventRecord event=computed stream=s
    cudaStreamWaitEvent stream=c event=computed
    ncclAllReduce send=d recv=d count=8m dtype=bf16 op=sum comm=comm stream=c
    cudaEventRecord event=reduced stream=c
    cudaStreamWaitEvent stream=s event=reduced
    cudaLaunchKernel func=add grid=64 block=256 ns=200us stream=s
    cudaStreamSynchronize stream=s
  }
  ncclCommDestroy comm=comm expect=0
}
read up $ranks
if $ready { ready $ready }
join
