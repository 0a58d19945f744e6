package timeline

import (
	"cmp"
	"slices"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
)

// Interval is one call or one off-CPU interval of a thread: exactly one of Call
// and OffCPU is set, and neither may be changed.
type Interval struct {
	Process event.ProcessID
	Call    *event.Call
	OffCPU  *event.OffCPU
}

// Start returns when the interval began.
func (i Interval) Start() ktime.Time {
	if i.Call != nil {
		return i.Call.Start
	}
	return i.OffCPU.Start
}

// End returns when the interval ended.
func (i Interval) End() ktime.Time {
	if i.Call != nil {
		return i.Call.End
	}
	return i.OffCPU.End
}

// history is a ring of a thread's latest intervals, in the order of their
// records, which is the order of their ends. It grows to its limit as needed.
type history struct {
	ring  []Interval
	first int
	size  int
	// forgotten is the latest end of an interval that is not here any more.
	forgotten ktime.Time
}

const smallestHistory = 8

// add appends i. The caller has made room: size < limit.
func (h *history) add(i Interval, limit int) {
	if h.size == len(h.ring) {
		h.grow(min(max(2*h.size, smallestHistory), limit))
	}
	h.ring[(h.first+h.size)%len(h.ring)] = i
	h.size++
}

func (h *history) grow(size int) {
	ring := make([]Interval, size)
	for n := range h.size {
		ring[n] = h.at(n)
	}
	h.ring, h.first = ring, 0
}

func (h *history) at(n int) Interval { return h.ring[(h.first+n)%len(h.ring)] }

// dropOldest forgets the oldest interval. The caller knows that there is one.
func (h *history) dropOldest() {
	h.forgotten = max(h.forgotten, h.at(0).End())
	h.ring[h.first] = Interval{}
	h.first = (h.first + 1) % len(h.ring)
	h.size--
}

// trim forgets what ended before cutoff and returns how many intervals that were.
func (h *history) trim(cutoff ktime.Time) int {
	before := h.size
	for h.size > 0 && h.at(0).End() < cutoff {
		h.dropOldest()
	}
	return before - h.size
}

// overlapping appends the intervals that overlap [from, to) to dst, by start,
// the enclosing one first.
func (h *history) overlapping(dst []Interval, from, to ktime.Time) []Interval {
	begin := len(dst)
	for n := range h.size {
		if i := h.at(n); i.Start() < to && i.End() > from {
			dst = append(dst, i)
		}
	}
	slices.SortStableFunc(dst[begin:], func(a, b Interval) int {
		return cmp.Or(cmp.Compare(a.Start(), b.Start()), cmp.Compare(b.End(), a.End()))
	})
	return dst
}
