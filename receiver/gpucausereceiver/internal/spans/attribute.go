package spans

// Attributes that semantic conventions define. thread.id is the Linux TID and
// thread.name the thread's comm, as other eBPF components have it.
const (
	attrHostName   = "host.name"
	attrHostID     = "host.id"
	attrPID        = "process.pid"
	attrThreadID   = "thread.id"
	attrThreadName = "thread.name"
	attrErrorType  = "error.type"
)

// Attributes of a call.
const (
	attrCallName     = "cuda.call.name"
	attrCallClass    = "cuda.call.class"
	attrLayer        = "cuda.layer"
	attrResult       = "cuda.result"
	attrNotable      = "cuda.call.notable"
	attrAbandoned    = "cuda.call.abandoned"
	attrOrphan       = "cuda.call.orphan"
	attrCallBlocked  = "cuda.call.off_cpu.blocked"  // seconds
	attrCallRunnable = "cuda.call.off_cpu.runnable" // seconds
	attrSwitches     = "cuda.call.switches"
	attrCallStart    = "cuda.call.start_time" // of a clipped call: Unix time in nanoseconds
	attrCallDuration = "cuda.call.duration"   // of a clipped call: seconds
	attrFirstLaunch  = "cuda.function.first_launch"
	attrFunctionName = "cuda.function.name"
	attrMemcpyKind   = "cuda.memcpy.kind"
	attrSummary      = "stall.summary"
	attrCause        = "stall.cause"
	attrExplained    = "stall.explained" // 0..1
	attrTruncated    = "stall.truncated" // waits in the trace whose story was cut
	attrOffCPUKind   = "off_cpu.kind"
	attrReason       = "off_cpu.reason"
	attrSyscall      = "off_cpu.syscall"
	attrStack        = "off_cpu.stack"
	attrOffCPUCut    = "off_cpu.truncated"
	attrOffCPUStart  = "off_cpu.start_time" // of a clipped interval: Unix time in nanoseconds
	attrOffCPUTime   = "off_cpu.duration"   // of a clipped interval: seconds
	attrWakerStory   = "off_cpu.waker.story"
	attrWakerContext = "off_cpu.waker.context"
	prefixWaker      = "off_cpu.waker."
	prefixPreemptor  = "off_cpu.preemptor."
	suffixPID        = "pid"
	suffixTID        = "tid"
	suffixComm       = "comm"
	kindBlockedName  = "blocked"
	kindRunnableName = "runnable"
	attrLinkRelation = "stall.link"
	linkPrevious     = "previous_on_thread"
	linkOwn          = "own_trace"
	linkWakerCycle   = "waker_cycle"
	linkActiveSpan   = "active_span"
	attrLinkSource   = "stall.link.source"
)

// Attributes of an operation of NCCL.
const (
	attrOperation        = "nccl.operation"
	attrCommunicator     = "nccl.communicator"
	attrCommunicatorSize = "nccl.communicator.size"
	attrRank             = "nccl.rank"
	attrSequence         = "nccl.sequence"
	attrCount            = "nccl.count"
	attrDatatype         = "nccl.datatype"
	attrSize             = "nccl.size" // bytes
	attrReduction        = "nccl.reduction"
	attrRoot             = "nccl.root"
	attrPeer             = "nccl.peer"
	attrGroup            = "nccl.group"
	attrStream           = "cuda.stream"
	attrSampled          = "nccl.sampled"
	attrCompleted        = "nccl.completed"
	attrLaunchesQueued   = "nccl.queue.launches"
	attrEnqueueTime      = "nccl.enqueue.time"       // Unix time in nanoseconds
	attrEnqueueNotBefore = "nccl.enqueue.not_before" // Unix time in nanoseconds: a lower bound
	attrEnqueueQuality   = "nccl.enqueue.quality"
	attrCompletionTime   = "nccl.completion.time"         // Unix time in nanoseconds: an upper bound
	attrPendingTime      = "nccl.completion.pending_time" // Unix time in nanoseconds: an estimate
	attrWait             = "nccl.wait"                    // seconds
	attrWaitStart        = "nccl.wait.start_time"         // Unix time in nanoseconds
	attrPeerWait         = "nccl.wait.peer"               // seconds: a lower bound
	prefixArrivalTime    = "nccl.arrival.time."           // + state: seconds, where not 0
	attrArrivalCause     = "nccl.arrival.cause"
	attrArrivalExplained = "nccl.arrival.explained" // 0..1
	attrArrivalSummary   = "nccl.arrival.summary"
	linkCycle            = "dispatch_cycle"
	linkCollective       = "collective"
)

// Attributes of a dispatch cycle.
const (
	attrStallKind           = "stall.kind"
	attrOmitted             = "stall.omitted"    // outermost calls and intervals without a span
	attrIncomplete          = "stall.incomplete" // some of the cycle's records were not at hand
	attrStacks              = "stall.stacks"
	attrTypical             = "dispatch.typical_duration" // seconds
	prefixDispatchTime      = "dispatch.time."            // + state: seconds, where not 0
	attrCycleID             = "dispatch.cycle.id"
	attrEndedBy             = "dispatch.ended_by"
	attrEndedByCall         = "dispatch.ended_by.call"
	attrLaunches            = "dispatch.launches"
	attrFirstLaunches       = "dispatch.first_launches"
	attrInterruptedLaunches = "dispatch.interrupted_launches"
	attrFailed              = "dispatch.failed_calls"
	attrCopied              = "dispatch.copied" // bytes
)
