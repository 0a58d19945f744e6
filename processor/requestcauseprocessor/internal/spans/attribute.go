package spans

// ScopeName is the name of the instrumentation scope of everything that is
// appended.
const ScopeName = "github.com/gpucause/gpucause/processor/requestcauseprocessor"

// Names of spans.
const (
	prefixStall     = "stall: " // + cause, or kind where there is none
	nameSummary     = "stalls"
	nameBackLink    = "delayed requests"
	attrThreadID    = "thread.id"
	attrThreadName  = "thread.name"
	attrLink        = "stall.link"
	linkStall       = "stall"
	linkRequest     = "request"
	linkNeighbour   = "neighbour"
	attrCause       = "stall.cause"
	attrKind        = "stall.kind"
	attrSummary     = "stall.summary"
	attrScope       = "stall.scope"
	attrPhase       = "stall.phase"
	attrTypical     = "dispatch.typical_duration" // seconds
	attrExplained   = "stall.explained"           // 0..1
	attrStart       = "stall.start_time"          // Unix time in nanoseconds: of the whole stall
	attrDuration    = "stall.duration"            // seconds: of the whole stall
	attrOverlap     = "stall.overlap"             // seconds: of stall and request
	attrExcess      = "stall.excess"              // seconds: of the overlap, over the typical
	prefixPhasePart = "stall.phase."              // + phase: 0..1 of the overlap
)

// Attributes of the summary.
const (
	attrEvidence     = "stall.evidence"
	attrCount        = "stall.count"
	attrShown        = "stall.shown"
	attrTruncated    = "stall.truncated"
	attrProcesses    = "stall.processes"
	attrTime         = "stall.time"          // seconds in which at least one thread was stalled
	attrShare        = "stall.share"         // of the request, 0..1
	prefixTime       = "stall.time."         // + cause: seconds
	prefixPhaseTime  = "stall.time_in."      // + phase: seconds
	attrNeighbours   = "stall.neighbours"    // one line each
	attrBlockerID    = "stall.blocker.id"    // of the request that was most of the work
	attrBlockerShare = "stall.blocker.share" // of the work, 0..1
	attrBlockerSelf  = "stall.blocker.self"  // it is this request
)

// Attributes of a span that leads back.
const attrDelayed = "stall.delayed_requests"
