# Every function of libnccl: results, errors, groups, and what ends when. All
# ranks are in this process.
cudaSetDevice device=0
cudaStreamCreateWithFlags flags=1 out=s0
cudaStreamCreateWithFlags flags=1 out=s1
cudaStreamCreateWithFlags flags=1 out=s2
cudaEventCreate out=e
cudaMalloc bytes=1m out=d
ncclGetVersion out=version expect=0
ncclGetUniqueId out=one expect=0

# One rank.
ncclCommInitRank nranks=1 id=one rank=0 out=c expect=0
ncclCommCount comm=c out=n expect=0
ncclCommUserRank comm=c out=r expect=0
ncclCommCuDevice comm=c out=dev expect=0
ncclCommGetAsyncError comm=c out=a expect=0
ncclAllReduce send=d recv=d count=1k dtype=f16 op=sum comm=c stream=s0 expect=0
ncclBcast buff=d count=1k dtype=int8 root=0 comm=c stream=s0 expect=0
cudaStreamSynchronize stream=s0 expect=0
ncclCommFinalize comm=c expect=0
ncclAllReduce count=1 comm=c stream=s0 expect=5
ncclCommDestroy comm=c expect=0
ncclAllReduce count=1 comm=c stream=s0 expect=5
ncclCommDestroy comm=c expect=5

# Wrong arguments.
ncclCommInitRank nranks=2 id=one rank=2 out=x expect=4
ncclCommInitRank nranks=0 id=one rank=0 out=x expect=4
ncclCommInitRankScalable nranks=1 rank=0 nid=0 id=one out=x expect=4
ncclGroupEnd expect=5
ncclAllReduce count=1 comm=0 stream=s0 expect=4
ncclAllReduce count=1 comm=0x1234 stream=s0 expect=4
ncclCommInitAll ndev=2 devlist=1,0 out=l expect=0
ncclCommCuDevice comm=l0 out=dev expect=0
ncclCommAbort comm=l0 expect=0
ncclCommAbort comm=l1 expect=0
ncclCommInitAll ndev=4 out=c expect=0
ncclAllReduce count=1 dtype=12 comm=c0 stream=s0 expect=4
ncclAllReduce count=1 op=5 comm=c0 stream=s0 expect=4
ncclBroadcast count=1 root=4 comm=c0 stream=s0 expect=4
ncclSend count=1 peer=-1 comm=c0 stream=s0 expect=4
ncclAllReduce count=1 comm=c0 stream=0xabc expect=1
ncclAllReduce count=0 comm=c0 stream=s0 expect=0
cudaStreamQuery stream=s0 expect=0
ncclCommSplit comm=c0 color=-2 out=x expect=4
ncclCommShrink comm=c0 exclude=0 out=x expect=4
ncclCommShrink comm=c0 exclude=9 out=x expect=4
ncclCommGrow comm=c0 nranks=4 rank=-1 out=x expect=4
ncclCommRevoke comm=c0 flags=1 expect=4
fail cuLaunchKernelEx 719
ncclAllReduce count=1 comm=c0 stream=s0 expect=1

# A group with a wrong call does nothing.
ncclGroupStart expect=0
ncclAllReduce count=1k comm=c0 stream=s0 expect=0
ncclAllReduce count=1k dtype=99 comm=c1 stream=s1 expect=4
ncclGroupEnd expect=4
cudaStreamQuery stream=s0 expect=0

# Nothing ends before all have arrived; s1 and s2 wait for s0 through events.
cudaStreamCreate out=t0; cudaStreamCreate out=t1; cudaStreamCreate out=t2; cudaStreamCreate out=t3
ncclAllReduce count=1k dtype=f32 comm=c0 stream=t0 expect=0
ncclAllReduce count=1k dtype=f32 comm=c1 stream=t1 expect=0
ncclAllReduce count=1k dtype=f32 comm=c2 stream=t2 expect=0
cudaLaunchKernel func=gemm ns=10us stream=t0 expect=0
cudaEventRecord event=e stream=t0 expect=0
cudaStreamWaitEvent stream=s1 event=e expect=0
cudaLaunchHostFunc stream=s1 expect=0
cudaLaunchKernel func=gemm ns=10us stream=s1 expect=0
cudaStreamQuery stream=t0 expect=600
cudaStreamQuery stream=s1 expect=600
cudaEventQuery event=e expect=600
cudaStreamQuery stream=t3 expect=0
cudaStreamQuery stream=0 expect=600
ncclAllReduce count=1k dtype=f32 comm=c3 stream=t3 expect=0
cudaEventSynchronize event=e expect=0
cudaStreamSynchronize stream=s1 expect=0
cudaStreamSynchronize stream=0 expect=0
cudaStreamQuery stream=t1 expect=0
cudaDeviceSynchronize expect=0

# The root of a broadcast does not wait; who receives it does.
ncclBroadcast count=1k root=1 comm=c0 stream=t0 expect=0
ncclBroadcast count=1k root=1 comm=c2 stream=t2 expect=0
cudaStreamQuery stream=t0 expect=600
ncclBroadcast count=1k root=1 comm=c1 stream=t1 expect=0
cudaStreamSynchronize stream=t1 expect=0
cudaStreamSynchronize stream=t0 expect=0
cudaStreamSynchronize stream=t2 expect=0
ncclBcast buff=d count=1k root=1 comm=c3 stream=t3 expect=0
cudaStreamSynchronize stream=t3 expect=0
# The root of a reduction waits; the others do not.
ncclReduce count=1k root=0 comm=c1 stream=t1 expect=0
ncclReduce count=1k root=0 comm=c2 stream=t2 expect=0
cudaStreamSynchronize stream=t1 expect=0
ncclReduce count=1k root=0 comm=c0 stream=t0 expect=0
cudaStreamQuery stream=t0 expect=600
ncclReduce count=1k root=0 comm=c3 stream=t3 expect=0
cudaDeviceSynchronize expect=0
# The rest, in a group each.
ncclGroupStart
ncclReduceScatter count=1k comm=c0 stream=t0 expect=0
ncclReduceScatter count=1k comm=c1 stream=t1 expect=0
ncclReduceScatter count=1k comm=c2 stream=t2 expect=0
cudaStreamQuery stream=t0 expect=0
ncclReduceScatter count=1k comm=c3 stream=t3 expect=0
ncclGroupEnd expect=0
ncclGroupStart
ncclAlltoAll count=1k comm=c0 stream=t0; ncclAlltoAll count=1k comm=c1 stream=t1
ncclAlltoAll count=1k comm=c2 stream=t2; ncclAlltoAll count=1k comm=c3 stream=t3
ncclGroupStart
ncclGather count=1k root=3 comm=c0 stream=t0; ncclGather count=1k root=3 comm=c1 stream=t1
ncclGather count=1k root=3 comm=c2 stream=t2; ncclGather count=1k root=3 comm=c3 stream=t3
ncclGroupEnd expect=0
cudaStreamQuery stream=t0 expect=any
ncclScatter count=1k root=3 comm=c0 stream=t0; ncclScatter count=1k root=3 comm=c1 stream=t1
ncclScatter count=1k root=3 comm=c2 stream=t2; ncclScatter count=1k root=3 comm=c3 stream=t3
ncclGroupEnd expect=0
ncclAllGather count=1k comm=c0 stream=t0; ncclAllGather count=1k comm=c1 stream=t1
ncclAllGather count=1k comm=c2 stream=t2; ncclAllGather count=1k comm=c3 stream=t3
cudaDeviceSynchronize expect=0
# Send and receive: pairs, in both orders, and to itself.
ncclSend count=1k peer=1 comm=c0 stream=t0 expect=0
cudaStreamQuery stream=t0 expect=600
ncclRecv count=1k peer=0 comm=c1 stream=t1 expect=0
cudaStreamSynchronize stream=t0 expect=0
ncclGroupStart
ncclSend count=64 peer=2 comm=c2 stream=t2
ncclRecv count=64 peer=2 comm=c2 stream=t2
ncclGroupEnd expect=0
cudaStreamSynchronize stream=t2 expect=0
# Operations of one communicator on two streams are one on both.
ncclGroupStart
ncclAllReduce count=1k comm=c0 stream=t0; ncclAllReduce count=1k comm=c0 stream=s0
ncclAllReduce count=1k comm=c1 stream=t1; ncclAllReduce count=1k comm=c1 stream=t1
ncclAllReduce count=1k comm=c2 stream=t2; ncclAllReduce count=1k comm=c2 stream=t2
ncclGroupEnd expect=0
cudaStreamQuery stream=s0 expect=600
ncclAllReduce count=1k comm=c3 stream=t3; ncclAllReduce count=1k comm=c3 stream=t3
cudaDeviceSynchronize expect=0

# Captured operations wait for nobody.
cudaStreamCreateWithFlags flags=1 out=g
cudaStreamBeginCapture stream=g expect=0
ncclAllReduce count=1k comm=c0 stream=g expect=0
cudaStreamEndCapture stream=g out=graph expect=0
cudaGraphInstantiate graph=graph out=exec expect=0
cudaGraphLaunch exec=exec stream=g expect=0
cudaStreamSynchronize stream=g expect=0

# A spinning wait.
setting spin 1
ncclAllReduce count=1k comm=c0 stream=t0; ncclAllReduce count=1k comm=c1 stream=t1
ncclAllReduce count=1k comm=c2 stream=t2
thread late { sleep 5ms; ncclAllReduce count=1k comm=c3 stream=t3 }
cudaStreamSynchronize stream=t0 expect=0
join
setting spin 0

# Children. Ranks 0 and 2, 3 and 1 by key; c3 of the second split has none.
ncclGroupStart
ncclCommSplit comm=c0 color=0 key=0 out=even0; ncclCommSplit comm=c2 color=0 key=1 out=even1
ncclCommSplit comm=c1 color=1 key=1 out=odd1; ncclCommSplit comm=c3 color=1 key=0 out=odd0
ncclGroupEnd expect=0
ncclCommUserRank comm=odd1 out=r expect=0
ncclAllReduce count=1k comm=even0 stream=t0; ncclAllReduce count=1k comm=even1 stream=t2
ncclAllReduce count=1k comm=odd0 stream=t3; ncclAllReduce count=1k comm=odd1 stream=t1
cudaDeviceSynchronize expect=0
ncclGroupStart
ncclCommSplit comm=c0 color=7 out=first0; ncclCommSplit comm=c1 color=7 out=first1
ncclCommSplit comm=c2 color=7 out=first2; ncclCommSplit comm=c3 color=-1 out=none
ncclGroupEnd expect=0
ncclCommCount comm=first2 out=n expect=0
ncclAllReduce count=1 comm=none stream=t3 expect=4
ncclGroupStart
ncclCommShrink comm=first0 exclude=1 out=small0; ncclCommShrink comm=first2 exclude=1 out=small1
ncclGroupEnd expect=0
ncclAllReduce count=1k comm=small0 stream=t0; ncclAllReduce count=1k comm=small1 stream=t2
cudaDeviceSynchronize expect=0
ncclCommGetUniqueId comm=small0 out=grow expect=0
ncclCommGetUniqueId comm=small0 out=other expect=5
ncclGroupStart
ncclCommGrow comm=small0 nranks=3 id=grow rank=-1 out=big0; ncclCommGrow comm=small1 nranks=3 rank=-1 out=big1
ncclCommGrow nranks=3 id=grow rank=2 out=big2
ncclGroupEnd expect=0
ncclAllReduce count=1k comm=big0 stream=t0; ncclAllReduce count=1k comm=big1 stream=t1; ncclAllReduce count=1k comm=big2 stream=t2
cudaDeviceSynchronize expect=0

# Non-blocking.
ncclGetUniqueId out=nb
ncclCommInitRankConfig nranks=2 id=nb rank=0 blocking=0 out=n0 expect=7
ncclAllReduce count=1k comm=n0 stream=t0 expect=4
ncclCommInitRankScalable nranks=2 rank=1 nid=1 id=nb blocking=0 out=n1 expect=7
nccl-wait n0
nccl-wait n1
ncclAllReduce count=1k comm=n0 stream=t0 expect=7
ncclAllReduce count=1k comm=n1 stream=t1 expect=7
nccl-wait n0
nccl-wait n1
cudaDeviceSynchronize expect=0
ncclCommFinalize comm=n0 expect=7
nccl-wait n0
ncclCommDestroy comm=n0 expect=0
ncclCommDestroy comm=n1 expect=0

# Different operations at the same position never end, but for an abort; here
# the streams go on, and the communicators are not valid any more.
ncclAllReduce count=1k comm=c0 stream=t0; ncclAllGather count=1k comm=c1 stream=t1
ncclAllReduce count=1k comm=c2 stream=t2; ncclAllReduce count=1k comm=c3 stream=t3
sleep 20ms
cudaStreamQuery stream=t0 expect=600
cudaStreamQuery stream=t1 expect=600
thread watchdog { sleep 5ms; ncclCommAbort comm=c0 expect=0 }
cudaStreamSynchronize stream=t0 expect=0
join
ncclAllReduce count=1k comm=c0 stream=t0 expect=5
ncclCommRevoke comm=c1 expect=0
cudaStreamSynchronize stream=t1 expect=0
ncclAllReduce count=1k comm=c1 stream=t1 expect=5
ncclCommDestroy comm=c1 expect=0
ncclCommAbort comm=c2 expect=0
ncclCommAbort comm=c3 expect=0
cudaDeviceSynchronize expect=0
# A communicator that the others never join.
ncclGetUniqueId out=alone
ncclCommInitRankConfig nranks=2 id=alone rank=0 blocking=0 out=l expect=7
ncclCommAbort comm=l expect=0
setting nccl_desync 1
ncclAllReduce count=1k comm=even0 stream=t0; ncclAllGather count=1k comm=even1 stream=t2
cudaStreamSynchronize stream=t0 expect=0
cudaStreamSynchronize stream=t2 expect=0
print nccl done
