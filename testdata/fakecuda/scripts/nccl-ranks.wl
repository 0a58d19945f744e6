# Ranks as processes: late ranks, ranks that run far ahead, groups over two
# communicators, children, a killed rank.
set ranks 4
nccl-id id
process rank@ count=$ranks {
  cudaStreamCreateWithFlags flags=1 out=s
  cudaStreamCreateWithFlags flags=1 out=t
  cudaEventCreate out=e
  ncclCommInitRankConfig nranks=$ranks id=id rank=@ blocking=0 out=comm expect=7
  nccl-wait comm
  ncclCommSplit comm=comm color=0 key=0 out=other expect=7
  nccl-wait other
  ncclCommDestroy comm=other expect=0

  # Blocking children of a non-blocking one.
  ncclCommSplit comm=comm color=0 key=0 blocking=1 out=world expect=0
  only 0 1 { let color@ 0 }
  only 2 3 { let color@ 1 }
  ncclCommSplit comm=world color=color@ key=0 out=half expect=0
  repeat 5 {
    ncclAllReduce count=1k dtype=f32 comm=world stream=s expect=0
    cudaStreamSynchronize stream=s expect=0
  }

  # The root, and who sends, are not held up until they are far ahead.
  only 1 { sleep 30ms }
  ncclBroadcast count=1k root=0 comm=world stream=s times=600 expect=0
  cudaStreamSynchronize stream=s expect=0
  only 0 { ncclSend buff=0 count=1k peer=1 comm=half stream=t times=100 expect=0 }
  only 1 { ncclRecv buff=0 count=1k peer=0 comm=half stream=t times=100 expect=0 }
  cudaStreamSynchronize stream=t expect=0
  # Queued, without a wait between; s waits for t.
  repeat 300 { ncclAllGather count=16 comm=half stream=t expect=0 }
  cudaEventRecord event=e stream=t expect=0
  cudaStreamWaitEvent stream=s event=e expect=0
  ncclAllReduce count=1k comm=world stream=s expect=0
  cudaDeviceSynchronize expect=0

  ncclGroupStart expect=0
  ncclAllReduce count=1k comm=world stream=s expect=0
  ncclReduceScatter count=1k comm=half stream=t expect=0
  ncclGroupEnd expect=0
  cudaDeviceSynchronize expect=0

  # Rank 2 is killed: the others go on without it after they shrink.
  only 2 { kill }
  ncclAllReduce count=1k comm=world stream=s expect=0
  sleep 20ms
  cudaStreamQuery stream=s expect=600
  ncclCommShrink comm=world exclude=2 flags=1 out=rest expect=0
  cudaStreamSynchronize stream=s expect=0
  ncclAllReduce count=1k comm=world stream=s expect=5
  ncclAllReduce count=1k comm=rest stream=s expect=0
  cudaStreamSynchronize stream=s expect=0
  ncclCommDestroy comm=rest expect=0
  ncclCommAbort comm=world expect=0
}
join

# A rank that never comes: the others are killed while they wait.
nccl-id never
process waiting@ count=2 daemon { ncclCommInitRank nranks=3 id=never rank=@ out=comm; print "not reached" }
sleep 50ms
join
print ranks done
