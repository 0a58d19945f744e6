package verdict

import (
	"slices"
	"time"

	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/clock"
	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/collective"
)

// arrivals are the enqueues of one collective, by clock. Only sorted collectives
// have arrivals.
type arrivals struct {
	*collective.Collective
	clocks  []string // without repetition
	index   map[string]int32
	of      []int32 // by rank, index of its clock
	offsets []clock.Offset
	others  []string // scratch
}

// begin makes a the arrivals of c. Memory is reused.
func (a *arrivals) begin(c *collective.Collective) {
	a.Collective = c
	a.clocks, a.of = a.clocks[:0], a.of[:0]
	clear(a.index)
	last := int32(-1)
	for i := range c.Ranks {
		name := c.Ranks[i].Process.Clock
		if last < 0 || a.clocks[last] != name {
			last = a.clock(name)
		}
		a.of = append(a.of, last)
	}
}

// clock returns the index of a clock, which is added if need be.
func (a *arrivals) clock(name string) int32 {
	i, ok := a.index[name]
	if !ok {
		i = int32(len(a.clocks))
		a.clocks = append(a.clocks, name)
		a.index[name] = i
	}
	return i
}

// readings returns what the collective shows on each known clock. A clock on which
// no enqueue has a lower bound is not among them.
func (a *arrivals) readings() []clock.Reading {
	readings := make([]clock.Reading, len(a.clocks))
	for i, name := range a.clocks {
		readings[i].Clock = name
	}
	for i := range a.Ranks {
		rank, reading := &a.Ranks[i], &readings[a.of[i]]
		if rank.Is(collective.Failed) {
			continue
		}
		reading.Enqueued = max(reading.Enqueued, rank.NotBefore)
		if rank.Completed != 0 && (reading.Completed == 0 || rank.Completed < reading.Completed) {
			reading.Completed = rank.Completed
		}
	}
	return slices.DeleteFunc(readings, func(r clock.Reading) bool { return r.Clock == "" || r.Enqueued == 0 })
}

// compare sets the offsets of all clocks against that of the rank at index i. A
// clock that is not known by name is known to nobody.
func (a *arrivals) compare(book *clock.Book, i int, now time.Time) {
	from := a.of[i]
	a.offsets, a.others = a.offsets[:0], a.others[:0]
	for k, name := range a.clocks {
		if int32(k) != from && name != "" {
			a.others = append(a.others, name)
		}
	}
	var bounds []clock.Offset
	if a.clocks[from] != "" && len(a.others) > 0 {
		bounds = book.Offsets(a.clocks[from], a.Ranks[i].Enqueue, now, a.others)
	}
	for k, name := range a.clocks {
		switch {
		case name != "" && int32(k) == from:
			a.offsets = append(a.offsets, clock.Offset{Known: true})
		case name == "" || len(bounds) == 0:
			a.offsets = append(a.offsets, clock.Offset{})
		default:
			a.offsets = append(a.offsets, bounds[0])
			bounds = bounds[1:]
		}
	}
}

// offset returns the offset of the clock of the rank at index i.
func (a *arrivals) offset(i int) clock.Offset { return a.offsets[a.of[i]] }

// arrival returns when the rank at index i had enqueued, on the clock that was
// compared with, as far as can be told.
func (a *arrivals) arrival(i int) collective.Time {
	return a.Ranks[i].Enqueue.Add(-a.offset(i).Middle())
}

// skew returns how far apart the arrivals of all ranks are. Whichever ranks were the
// first and the last, their clocks are off by at most the two largest errors, and one
// of them enqueued earlier than it says by at most the duration of its call.
func (a *arrivals) skew() Skew {
	first, last := a.arrival(0), a.arrival(0)
	var call time.Duration
	for i := range a.Ranks {
		uncertainty, bounded := a.Ranks[i].Uncertainty()
		if !a.offset(i).Known || !bounded {
			return Skew{}
		}
		call = max(call, uncertainty)
		first, last = min(first, a.arrival(i)), max(last, a.arrival(i))
	}
	var largest, second time.Duration
	for _, o := range a.offsets {
		second = max(second, min(largest, o.Error()))
		largest = max(largest, o.Error())
	}
	return Skew{Time: last.Sub(first), Error: largest + second + call, Known: true}
}
