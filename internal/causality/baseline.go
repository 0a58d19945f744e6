package causality

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
)

// sample is what is remembered of a recorded cycle.
type sample struct {
	duration time.Duration
	ledger   event.Ledger // refined
	launches uint32
	copied   uint64 // bytes

	// The cycles between the recorded one before and this one, which had no
	// records: how many, and how long on average.
	shorts int
	short  time.Duration
}

// baseline is what the latest recorded cycles of one thread were like.
type baseline struct {
	ring  []sample
	next  int        // where the next one goes, once the ring is full
	all   int        // cycles that the ring stands for, those without records included
	id    uint64     // of the latest cycle
	seen  ktime.Time // end of the latest cycle
	shown ktime.Time // end of the latest periodic sample
	idle  ktime.Time // end of the latest idle cycle that was told
}

func (b *baseline) add(s sample, window int) {
	b.all += 1 + s.shorts
	if len(b.ring) < window {
		b.ring = append(b.ring, s)
		return
	}
	b.all -= 1 + b.ring[b.next].shorts
	b.ring[b.next] = s
	b.next = (b.next + 1) % len(b.ring)
}

// between returns how many cycles there were from the latest one to c, and how
// long on average: cycles meet. They were too short for a record, or it was dropped.
func (b *baseline) between(c *event.Cycle) (int, time.Duration) {
	if b.id == 0 || c.ID <= b.id+1 || c.Start <= b.seen {
		return 0, 0
	}
	n := int(min(c.ID-b.id-1, math.MaxInt32))
	return n, c.Start.Sub(b.seen) / time.Duration(n)
}

// Cycles of one kind are typical from some share of all on: the phases of a step
// take turns.
const (
	recordedShare = 4  // one in so many of the recorded cycles
	rareShare     = 32 // and one in so many of all; rarer ones are the exception
)

// warm reports whether enough is known to judge s. Where records are the
// exception, that they are is enough.
func (b *baseline) warm(s *sample, settings *JudgeSettings) bool {
	all := b.all + s.shorts
	return len(b.ring) >= settings.WarmUp || all >= settings.Window && all >= rareShare*len(b.ring)
}

// comparable returns the recorded cycles that s is to be compared with, if they
// are many enough to be typical, but at least the given number: those with as
// many launches, more or less.
func (b *baseline) comparable(s *sample, least int) []*sample {
	var like []*sample
	for n := range b.ring {
		if alike(b.ring[n].launches, s.launches) {
			like = append(like, &b.ring[n])
		}
	}
	if len(like) < least || len(like)*recordedShare < len(b.ring) || len(like)*rareShare < b.all+s.shorts {
		return nil
	}
	return like
}

// alike reports whether two cycles launch about as much: within a factor of two,
// or by a few.
func alike(a, b uint32) bool {
	const few = 4
	low, high := min(a, b), max(a, b)
	return high-low <= few || high/2 <= low
}

// typical is what a cycle of a thread is usually like.
type typical struct {
	duration time.Duration
	ledger   event.Ledger // the medians, which need not sum to duration
	launches uint32
	copied   uint64 // bytes
}

// against returns the cycles that s is to be compared with.
func (b *baseline) against(s *sample, least int) *medians {
	m := &medians{}
	if like := b.comparable(s, least); like != nil {
		for _, other := range like {
			m.add(other)
		}
		return m
	}
	for n := range b.ring {
		m.add(&b.ring[n])
		m.addShorts(&b.ring[n])
	}
	m.addShorts(s)
	return m
}

// medians collects cycles. Of those without records only the duration is known:
// their ledgers are taken for empty.
type medians struct {
	samples []*sample
	weights []int
}

func (m *medians) add(s *sample) {
	m.samples = append(m.samples, s)
	m.weights = append(m.weights, 1)
}

func (m *medians) addShorts(s *sample) {
	if s.shorts > 0 {
		m.samples = append(m.samples, &sample{duration: s.short})
		m.weights = append(m.weights, s.shorts)
	}
}

func (m *medians) typical() typical {
	t := typical{
		duration: m.duration(),
		launches: uint32(m.of(func(s *sample) time.Duration { return time.Duration(s.launches) })),
		copied:   uint64(m.of(func(s *sample) time.Duration { return time.Duration(s.copied) })),
	}
	for state := range t.ledger {
		t.ledger[state] = m.of(func(s *sample) time.Duration { return s.ledger[state] })
	}
	return t
}

func (m *medians) duration() time.Duration {
	return m.of(func(s *sample) time.Duration { return s.duration })
}

// of returns the upper median of a value, so that of two kinds of cycle that
// take turns the longer is typical.
func (m *medians) of(value func(*sample) time.Duration) time.Duration {
	type weighed struct {
		value  time.Duration
		weight int
	}
	values, all := make([]weighed, len(m.samples)), 0
	for n, s := range m.samples {
		values[n] = weighed{value(s), m.weights[n]}
		all += m.weights[n]
	}
	slices.SortFunc(values, func(a, b weighed) int { return cmp.Compare(a.value, b.value) })
	rank := min((all+1)/2, all-1)
	for _, v := range values {
		if rank -= v.weight; rank < 0 {
			return v.value
		}
	}
	return 0
}
