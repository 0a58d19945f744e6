package spans

// Attributes of a verdict (docs/telemetry.md).
const (
	attrVerdict      = "nccl.verdict"
	attrOperation    = "nccl.operation"
	attrCommunicator = "nccl.communicator"
	attrSize         = "nccl.communicator.size"
	attrSequence     = "nccl.sequence"
	attrSkew         = "nccl.arrival.skew"    // seconds
	attrRank         = "nccl.straggler.rank"  //
	attrAfter        = "nccl.straggler.after" // the rank that it is compared with
	attrLag          = "nccl.straggler.lag"   // seconds
	attrLagError     = "nccl.straggler.lag.error"
	attrWait         = "nccl.straggler.wait" // seconds, at least
	attrWaiters      = "nccl.straggler.waiters"
	attrQuality      = "nccl.straggler.quality"
	attrClockError   = "nccl.clock.error"  // seconds
	attrClockOffset  = "nccl.clock.offset" // seconds
	attrMissing      = "nccl.missing.ranks"
	attrMissingCount = "nccl.missing.count"
	attrCalls        = "nccl.desynchronized.calls"
	attrCause        = "stall.cause"
	attrExplained    = "stall.explained" // 0..1
	attrSummary      = "stall.summary"

	attrHostName = "host.name"
	attrHostID   = "host.id"
	attrPID      = "process.pid"

	attrLink      = "stall.link"
	linkStraggler = "straggler"
	linkCycle     = "dispatch_cycle"
)

// Values of nccl.verdict.
const (
	verdictStraggler      = "straggler"
	verdictDesynchronized = "desynchronized"
	verdictMissing        = "missing_ranks"
)
