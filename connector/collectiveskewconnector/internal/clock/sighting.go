package clock

import (
	"time"

	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/collective"
)

// Reading is what a collective shows on one clock.
type Reading struct {
	Clock     string
	Enqueued  collective.Time // a lower bound of the latest enqueue
	Completed collective.Time // an upper bound of the earliest completion, 0 if none was seen
}

// times are a reading by the index of its clock; zero where the clock had none.
type times struct {
	enqueued, completed collective.Time
}

// sighting is one collective on the clocks of its communicator.
type sighting struct {
	number   uint64 // of all sightings, rising; 0: there is none
	received time.Time
	width    time.Duration
	times    []times // by index of the clock; shorter where clocks came later
}

// slots is how many sightings of a communicator are kept for the time of a window,
// each the narrowest of its share of the time.
const slots = 32

// history are the sightings of one communicator.
type history struct {
	index  map[string]int32 // of a clock
	clocks []string
	latest sighting
	kept   [slots]sighting // by the time they were received
}

func newHistory() *history { return &history{index: make(map[string]int32)} }

// weight is how many readings h has room for.
func (h *history) weight() int { return len(h.clocks) * (slots + 1) }

// observe makes readings the latest sighting. It reports whether there are clocks
// that were not in h before.
func (h *history) observe(number uint64, now time.Time, readings []Reading) bool {
	before := len(h.clocks)
	for i := range readings {
		h.add(readings[i].Clock)
	}
	s := &h.latest
	s.number, s.received, s.width = number, now, 0
	s.times = append(s.times[:0], make([]times, len(h.clocks))...)
	for i := range readings {
		r := &readings[i]
		s.times[h.index[r.Clock]] = times{r.Enqueued, r.Completed}
		s.width += r.width()
	}
	return len(h.clocks) > before
}

// unseen is the width of a reading that bounds one side only.
const unseen = time.Hour

// width is how far apart the bounds are that r contributes to: no smaller than the
// time that the collective took on this clock.
func (r *Reading) width() time.Duration {
	if r.Completed == 0 {
		return unseen
	}
	return min(unseen, r.Completed.Sub(r.Enqueued))
}

func (h *history) add(clock string) {
	if _, ok := h.index[clock]; !ok {
		h.index[clock] = int32(len(h.clocks))
		h.clocks = append(h.clocks, clock)
	}
}

// keep puts the latest sighting into the slot of its time, if it is the narrowest
// of that time. The memory of the other one serves the next.
func (h *history) keep(slot time.Duration) {
	if h.latest.number == 0 {
		return
	}
	number := h.latest.received.UnixNano() / int64(slot)
	place := &h.kept[number%slots]
	current := place.number != 0 && place.received.UnixNano()/int64(slot) == number
	if !current || h.latest.width < place.width {
		*place, h.latest = h.latest, *place
	}
}
