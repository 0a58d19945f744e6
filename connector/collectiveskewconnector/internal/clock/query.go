package clock

import (
	"cmp"
	"slices"
	"time"

	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/collective"
)

// query is one Offsets.
type query struct {
	book    *Book
	clock   string
	from    *state
	targets []target
	offsets []Offset // by target
	places  []int32  // of the targets in each history of from, -1 where they are not in it
	seen    []view
}

// target is a clock that is compared.
type target struct {
	state        *state
	contradicted uint64 // number of the sighting that contradicts nearer ones; 0 if none
}

// view is a sighting from one of its clocks.
type view struct {
	*sighting
	places []int32 // of the targets
	mine   times
	age    time.Duration // by that clock
}

func (q *query) begin(b *Book, from string, clocks []string) {
	q.book, q.clock, q.from = b, from, b.state(from)
	q.targets, q.offsets, q.seen = q.targets[:0], q.offsets[:0], q.seen[:0]
	for _, clock := range clocks {
		q.targets = append(q.targets, target{state: b.state(clock)})
		q.offsets = append(q.offsets, Offset{Low: -unbounded, High: unbounded})
	}
	q.locate(clocks)
}

// locate finds the targets in the histories.
func (q *query) locate(clocks []string) {
	q.places = q.places[:0]
	for _, h := range q.from.histories {
		for _, clock := range clocks {
			place, ok := h.index[clock]
			if !ok {
				place = -1
			}
			q.places = append(q.places, place)
		}
	}
}

// look gathers the sightings that may say something, the nearest in time first.
func (q *query) look(at collective.Time, now time.Time) {
	n := len(q.targets)
	for i, h := range q.from.histories {
		places := q.places[i*n : (i+1)*n]
		q.view(&h.latest, places, h.index[q.clock])
		for k := range h.kept {
			q.view(&h.kept[k], places, h.index[q.clock])
		}
	}
	window := q.book.window
	for i := range q.seen {
		q.seen[i].age = at.Sub(q.seen[i].mine.enqueued).Abs()
	}
	q.seen = slices.DeleteFunc(q.seen, func(v view) bool { return v.age > window || now.Sub(v.received) > window })
	slices.SortFunc(q.seen, func(a, b view) int {
		return cmp.Or(cmp.Compare(a.age, b.age), cmp.Compare(b.number, a.number))
	})
}

func (q *query) view(s *sighting, places []int32, from int32) {
	if int(from) < len(s.times) && s.times[from].enqueued != 0 && s.number > q.from.since {
		q.seen = append(q.seen, view{sighting: s, places: places, mine: s.times[from]})
	}
}

// intersect narrows the offsets by all that was seen.
func (q *query) intersect() {
	for i := range q.seen {
		v := &q.seen[i]
		drift := time.Duration(float64(v.age) * maxDrift)
		for target, place := range v.places {
			if place >= 0 && int(place) < len(v.times) {
				q.narrow(target, v.number, bounds(v.mine, v.times[place], drift))
			}
		}
	}
	for i := range q.offsets {
		o := &q.offsets[i]
		o.Known = o.Low > -unbounded && o.High < unbounded
	}
}

// bounds returns what one sighting says of the offset between two clocks.
func bounds(mine, theirs times, drift time.Duration) Offset {
	o := Offset{Low: -unbounded, High: unbounded}
	if theirs.enqueued == 0 {
		return o
	}
	if mine.completed != 0 {
		o.Low = theirs.enqueued.Sub(mine.completed) - drift
	}
	if theirs.completed != 0 {
		o.High = theirs.completed.Sub(mine.enqueued) + drift
	}
	return o
}

// narrow intersects the bounds of a target with what a sighting says. What
// contradicts nearer ones does not count, and nothing farther does.
func (q *query) narrow(i int, number uint64, o Offset) {
	t := &q.targets[i]
	if t.contradicted != 0 || number <= t.state.since {
		return
	}
	low, high := max(q.offsets[i].Low, o.Low), min(q.offsets[i].High, o.High)
	if low > high {
		t.contradicted = number
		return
	}
	q.offsets[i].Low, q.offsets[i].High = low, high
}

// tally returns how many targets are known, contradictory ones included, how many
// are contradictory, and the latest sighting by which they are.
func (q *query) tally() (known, contradicted int, last uint64) {
	for i := range q.targets {
		number := q.targets[i].contradicted
		if number != 0 {
			contradicted++
		}
		if number != 0 || q.offsets[i].Known {
			known++
		}
		last = max(last, number)
	}
	return known, contradicted, last
}
