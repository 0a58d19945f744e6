package causality

import (
	"slices"
	"time"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
	"github.com/gpucause/gpucause/internal/probe"
)

// callWindow is how many durations of a caller are remembered.
const callWindow = 16

// caller is who makes a call: a thread, beyond the reuse of its process's number,
// with one function.
type caller struct {
	process event.ProcessID
	tid     event.TID // 0: any thread
	probe   probe.ID
}

func (c caller) anyThread() caller {
	c.tid = 0
	return c
}

// callHistory is what the latest calls of a caller were like.
type callHistory struct {
	of    caller
	ring  []time.Duration
	next  int        // where the next one goes, once the ring is full
	id    uint64     // of the latest call
	seen  ktime.Time // end of the latest call
	shown ktime.Time // end of the latest call that was worth a trace
}

// begin forgets everything if the thread's numbers begin again: it is the next
// thread with this TID. An orphan has a lower number, too, and ended long ago.
func (h *callHistory) begin(call *event.Call) {
	if call.ID <= h.id && call.Start >= h.seen {
		*h = callHistory{of: h.of}
	}
	h.id, h.seen = max(h.id, call.ID), max(h.seen, call.End)
}

func (h *callHistory) add(call *event.Call) {
	took := call.End.Sub(call.Start)
	if len(h.ring) < callWindow {
		h.ring = append(h.ring, took)
		return
	}
	h.ring[h.next] = took
	h.next = (h.next + 1) % callWindow
}

// median is 0 where nothing is known.
func (h *callHistory) median() time.Duration {
	if len(h.ring) == 0 {
		return 0
	}
	return slices.Sorted(slices.Values(h.ring))[len(h.ring)/2]
}

// longest is 0 where nothing is known.
func (h *callHistory) longest() time.Duration {
	if len(h.ring) == 0 {
		return 0
	}
	return slices.Max(h.ring)
}
