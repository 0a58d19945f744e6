package clock

import (
	"slices"
	"time"

	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/collective"
	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/recent"
)

// maxDrift is how fast two clocks are assumed to run apart at most: 100 ppm each,
// which crystals keep even without a time service.
const maxDrift = 200e-6

// Bounds of a Book.
const (
	maxReadings  = 1 << 19 // of all histories in use
	maxClocks    = 1 << 13
	maxHistories = 8 // of one clock
)

// Book remembers what was seen of clocks. It is for one goroutine.
type Book struct {
	window    time.Duration
	histories *recent.Map[string, *history] // by communicator
	clocks    *recent.Map[string, *state]
	sightings uint64
	resets    uint64
	rejected  uint64
	query     query // scratch
}

// state is what is known of one clock.
type state struct {
	since     uint64 // sightings up to this number say nothing: the clock was set
	histories []*history
}

// NewBook returns a Book that remembers for window.
func NewBook(window time.Duration) *Book {
	return &Book{
		window:    window,
		histories: recent.NewMap[string](maxReadings, (*history).weight),
		clocks:    recent.NewMap[string, *state](maxClocks, nil),
	}
}

// Resets returns how often a clock was found to have been set.
func (b *Book) Resets() uint64 { return b.resets }

// Rejected returns how many collectives said that on one and the same clock one
// rank completed before another had enqueued. They bound nothing.
func (b *Book) Rejected() uint64 { return b.rejected }

// Forgotten returns how many communicators and clocks were forgotten for want of
// room.
func (b *Book) Forgotten() uint64 { return b.histories.Forgotten() + b.clocks.Forgotten() }

// Observe remembers a collective of a communicator in which no rank completes
// before every rank has enqueued, received at now. Of each clock there is one
// reading. now never goes back.
func (b *Book) Observe(communicator string, now time.Time, readings []Reading) {
	if slices.ContainsFunc(readings, impossible) {
		b.rejected++
		return
	}
	h, ok := b.histories.Get(communicator)
	if !ok {
		h = newHistory()
	}
	b.sightings++
	h.keep(b.window / slots)
	if h.observe(b.sightings, now, readings) || !ok {
		b.histories.Set(communicator, h)
	}
	for i := range readings {
		b.state(readings[i].Clock).use(h)
	}
}

func impossible(r Reading) bool { return r.Completed != 0 && r.Completed < r.Enqueued }

func (b *Book) state(clock string) *state {
	s, ok := b.clocks.Get(clock)
	if !ok {
		s = &state{}
		b.clocks.Set(clock, s)
	}
	return s
}

// use moves h to the front of the histories that the clock is in.
func (s *state) use(h *history) {
	i := slices.Index(s.histories, h)
	switch {
	case i == 0:
		return
	case i > 0:
		s.histories = slices.Delete(s.histories, i, i+1)
	case len(s.histories) == maxHistories:
		s.histories = s.histories[:maxHistories-1]
	}
	s.histories = slices.Insert(s.histories, 0, h)
}

// Offset bounds theta(B)-theta(A) of two clocks: how much more B reads than A.
type Offset struct {
	Low, High time.Duration
	Known     bool // bounded on both sides
}

// Middle is the best guess.
func (o Offset) Middle() time.Duration { return o.Low + (o.High-o.Low)/2 }

// Error is how far the truth may be from the middle.
func (o Offset) Error() time.Duration { return (o.High - o.Low + 1) / 2 }

// unbounded is farther than any two readings that belong together.
const unbounded = 1000 * time.Hour

// Offsets returns the bounds of each of clocks against the clock from, when that
// reads at. They are other clocks than from. The result is valid until the next
// call.
func (b *Book) Offsets(from string, at collective.Time, now time.Time, clocks []string) []Offset {
	q := &b.query
	q.begin(b, from, clocks)
	q.look(at, now)
	q.intersect()
	b.reset(q)
	return q.offsets
}

// reset forgets what was known of clocks that were set. Where most of the others
// contradict it, it is the clock that they are compared with.
func (b *Book) reset(q *query) {
	known, contradicted, last := q.tally()
	if contradicted == 0 {
		return
	}
	if 2*contradicted > known && known > 1 {
		b.set(q.from, last)
		return
	}
	for i := range q.targets {
		if t := &q.targets[i]; t.contradicted != 0 {
			b.set(t.state, t.contradicted)
		}
	}
}

func (b *Book) set(s *state, number uint64) {
	b.resets++
	s.since = max(s.since, number)
}
