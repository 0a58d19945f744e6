package causality

import (
	"time"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
)

// Chain is an outermost call with its explanation.
type Chain struct {
	Process event.ProcessID
	Root    *Interval
	Orphan  bool // Root was enclosed in a call whose record never came
	// Attribution tells where the time of Root went.
	Attribution
	// Truncated counts the waits whose waker's intervals were left out, all or
	// some of them, for MaxDepth or MaxIntervals.
	Truncated int
	// Untraced are the wakers whose story is missing because their process is
	// not traced, the one that was waited for longest first.
	Untraced []Untraced
}

// Untraced is a waker without a story.
type Untraced struct {
	Task    event.Task
	Blocked time.Duration // that the chain's threads waited for it
}

// Interval is a call or an off-CPU interval in a chain: exactly one of Call and
// OffCPU is set. They hold the true times.
type Interval struct {
	Process event.ProcessID
	Call    *event.Call
	OffCPU  *event.OffCPU

	// Start and End are the part that is shown: clipped, where the interval
	// belongs to a waker, to the wait that it explains.
	Start, End ktime.Time

	// Children are, of a call: the calls and off-CPU intervals inside it; of a
	// blocked interval: what its waker's intervals were in [Start, Wake). In
	// order of time.
	Children []*Interval

	InCycle bool // of a waker's call: its thread has dispatch cycles, so that the call has no trace of its own

	Reason event.OffCPUReason // of an off-CPU interval, refined by its stack
	Wake   ktime.Time         // of an off-CPU interval: blocked before, runnable from here; within [Start, End]
	Story  Story              // of an off-CPU interval with a blocked part
	// Starved says of a dispatcher's wait outside of calls that it was for want of input,
	// whatever it was blocked on: that is what its waker waited for.
	Starved bool
}

// Task returns the thread that the interval belongs to.
func (i *Interval) Task() event.Task {
	if i.Call != nil {
		return i.Call.Task
	}
	return i.OffCPU.Task
}

// Duration returns the length of the part that is shown.
func (i *Interval) Duration() time.Duration { return i.End.Sub(i.Start) }

// Blocked returns how long the part that is shown was blocked.
func (i *Interval) Blocked() time.Duration {
	if i.OffCPU == nil {
		return 0
	}
	return i.Wake.Sub(i.Start)
}

// Runnable returns how long the part that is shown waited for a CPU.
func (i *Interval) Runnable() time.Duration {
	if i.OffCPU == nil {
		return 0
	}
	return i.End.Sub(i.Wake)
}

// Clipped reports whether the interval began earlier or ended later than it is shown.
func (i *Interval) Clipped() bool {
	if i.Call != nil {
		return i.Start != i.Call.Start || i.End != i.Call.End
	}
	return i.Start != i.OffCPU.Start || i.End != i.OffCPU.End
}

// wake returns where o's blocked part ends, within [o.Start, o.End] whatever the record says.
func wake(o *event.OffCPU) ktime.Time {
	switch {
	case o.Reason.Runnable():
		return o.Start
	case o.Wake < o.Start || o.Wake > o.End:
		return o.End
	default:
		return o.Wake
	}
}
