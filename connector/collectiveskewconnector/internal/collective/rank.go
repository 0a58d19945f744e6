package collective

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/gpucause/gpucause/internal/event"
)

// Time is a reading of the wall clock of the host that took it, in nanoseconds
// since the Unix epoch. Times of different hosts differ by the offset of their
// clocks, too. 0 is no time.
type Time int64

// Sub returns t-u.
func (t Time) Sub(u Time) time.Duration { return time.Duration(t - u) }

// Add returns t+d.
func (t Time) Add(d time.Duration) Time { return t + Time(d) }

// Process is who runs a rank. It is shared by the reports of the process. Nothing
// but Resource ever changes.
type Process struct {
	// Clock names the clock that the process reads: the same exactly for
	// processes of one host. "" is a clock of its own, where the host is not known.
	Clock    string
	HostName string
	HostID   string
	PID      int64 // 0 where not known
	// Resource are the attributes of the process's resource, the above among them;
	// none where there was no room for them any more.
	Resource pcommon.Map
}

// Completion is what a rank's host knows of the end of a collective.
type Completion uint8

// States of knowledge.
const (
	CompletionUnknown Completion = iota // it does not say
	CompletionSeen                      // it ended
	CompletionPending                   // it was not seen to end when this was reported
)

// Flags of a rank.
type Flags uint8

// Flags.
const (
	// LowerBound: Enqueue is no upper bound. The rank may have enqueued later.
	LowerBound Flags = 1 << iota
	// Sampled: every rank reports this collective.
	Sampled
	// HasLedger: Ledger is set.
	HasLedger
	// HasWait: WaitStart and Wait are set.
	HasWait
	// Failed: the call returned an error, so that the rank takes no part.
	Failed
)

// Ledger is wall time in seconds by state.
type Ledger [event.LedgerStates]float32

// Arrival is why a rank's arrival took longer than its own usually do, as its
// host tells it.
type Arrival struct {
	Cause     string
	Summary   string  // a clause
	Explained float64 // 0..1; 0 where not known
}

// Link points to a span of another trace.
type Link struct {
	Trace pcommon.TraceID
	Span  pcommon.SpanID
}

// Rank is one rank's part in a collective. It holds nothing of the span that it
// was read from.
type Rank struct {
	Process *Process
	Span    pcommon.SpanID
	Cycle   Link // the dispatch cycle that issued the call; zero where not known
	Number  int32
	Call    uint16 // index into the collective's Calls
	Flags   Flags
	End     Completion

	// Enqueue is when the call that enqueued returned, and NotBefore when it began:
	// the rank enqueued between them. NotBefore is 0 where it is not known, and never
	// later than Enqueue.
	Enqueue, NotBefore Time

	Completed Time // not earlier than the real completion; 0 where it was not seen
	// WaitStart and Wait are the stall of the rank's host that covers the collective.
	WaitStart Time
	Wait      time.Duration

	// Ledger is what the issuing thread did since its previous enqueue on the
	// communicator, without waiting for collectives.
	Ledger  Ledger
	Arrival *Arrival // nil where it was not slow for itself
	Error   string   // of a failed call
}

// Is reports whether all of flags are set.
func (r *Rank) Is(flags Flags) bool { return r.Flags&flags == flags }

// Uncertainty returns how far the real enqueue may be from Enqueue. It is not known
// where NotBefore is not.
func (r *Rank) Uncertainty() (d time.Duration, known bool) {
	return r.Enqueue.Sub(r.NotBefore), r.NotBefore != 0
}

// Blocked returns for how long the rank's host was provably stalled, after its own
// enqueue, while it was not yet arrival on its clock.
func (r *Rank) Blocked(arrival Time) time.Duration {
	if !r.Is(HasWait) {
		return 0
	}
	begin := max(r.WaitStart, r.Enqueue)
	return max(0, min(r.WaitStart.Add(r.Wait), arrival).Sub(begin))
}
