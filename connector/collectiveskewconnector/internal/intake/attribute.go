package intake

// Attributes of a rank's span (docs/telemetry.md).
const (
	attrOperation    = "nccl.operation"
	attrCommunicator = "nccl.communicator"
	attrSize         = "nccl.communicator.size"
	attrRank         = "nccl.rank"
	attrSequence     = "nccl.sequence"
	attrRoot         = "nccl.root"
	attrPeer         = "nccl.peer"
	attrReduction    = "nccl.reduction"
	attrDatatype     = "nccl.datatype"
	attrCount        = "nccl.count"
	attrSampled      = "nccl.sampled"
	attrEnqueue      = "nccl.enqueue.time"
	attrNotBefore    = "nccl.enqueue.not_before"
	attrQuality      = "nccl.enqueue.quality"
	attrCompletion   = "nccl.completion.time"
	attrCompleted    = "nccl.completed"
	attrWait         = "nccl.wait"
	attrWaitStart    = "nccl.wait.start_time"
	prefixLedger     = "nccl.arrival.time."
	attrCause        = "nccl.arrival.cause"
	attrExplained    = "nccl.arrival.explained"
	attrSummary      = "nccl.arrival.summary"
	attrErrorType    = "error.type"
	attrVerdict      = "nccl.verdict" // of this connector's own spans

	attrHostName = "host.name"
	attrHostID   = "host.id"
	attrPID      = "process.pid"

	attrLink  = "stall.link"
	linkCycle = "dispatch_cycle"

	qualityLowerBound = "lower_bound"

	// rootName is the name of the span that all ranks' spans of a collective are
	// children of.
	rootName = "collective"
)

// Bounds of what is kept of spans. Those of resources are [maxResource] and its like.
const (
	maxIdentifier = 64  // bytes of a communicator, cause, datatype, reduction, clock
	maxSummary    = 256 // bytes of a clause
	maxStrings    = 1 << 14
	maxProcesses  = 64 << 20 // bytes of processes in use, as [processBytes] counts them
)
