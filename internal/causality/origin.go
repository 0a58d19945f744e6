package causality

import (
	"time"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
	"github.com/gpucause/gpucause/internal/timeline"
)

// origin is where the end of a wait came from: a thread waits for a queue of its own
// program in a futex as it does for a lock, and only what its waker did tells which
// of them it was.
type origin uint8

const (
	originNone    origin = iota // from a thread that had work to do, or it is not known
	originInput                 // the thread, or who woke it, waited for input
	originOutside               // as originInput, and the input came from a device: the network, a timer
)

const (
	maxOriginDepth = 4 // wakers behind wakers
	// Of a waker's waits those count that cover one in so many of the wait at least.
	originShare = 4
)

// originOf tells where the end of o came from. It is originInput or originOutside
// only where waits for input, one behind the other, cover more than half of it.
func originOf(tl *timeline.Timeline, o *event.OffCPU, settings *Settings) origin {
	if tl == nil {
		return originNone
	}
	return originWithin(tl, o, o.Start, wake(o), settings, maxOriginDepth)
}

// originWithin is originOf of the part of o in [from, to).
func originWithin(tl *timeline.Timeline, o *event.OffCPU, from, to ktime.Time, settings *Settings, depth int) origin {
	own := originNone
	if event.BlockedState(settings.reason(o)) == event.LedgerInputWait {
		own = originInput
	}
	switch {
	case own == originInput && byDevice(o):
		return originOutside
	case o.WakerContext != event.WakerTask || o.Waker.Thread == o.Task.Thread || depth == 0:
		return own
	}
	var input, outside time.Duration
	for _, i := range tl.Intervals(nil, o.Waker.Thread, from, to) {
		if i.OffCPU == nil {
			continue
		}
		start, end := max(from, i.OffCPU.Start), min(to, wake(i.OffCPU))
		if end.Sub(start) < to.Sub(from)/originShare || end <= start {
			continue
		}
		switch originWithin(tl, i.OffCPU, start, end, settings, depth-1) {
		case originOutside:
			outside += end.Sub(start)
			input += end.Sub(start)
		case originInput:
			input += end.Sub(start)
		case originNone:
		}
	}
	switch {
	case 2*outside > to.Sub(from):
		return originOutside
	case 2*input > to.Sub(from):
		return originInput
	default:
		return own
	}
}

// byDevice reports whether no thread ended a wait by a system call: a device did, or
// a timer. Where the Linux kernel does not tell the context, such an interrupt of a thread
// in user mode looks like an exception of that thread, which ends no wait for input.
func byDevice(o *event.OffCPU) bool {
	return o.WakerContext.Interrupt() || o.WakerContext == event.WakerUnspecified && o.Waker.Thread.TID != 0
}
