package join

import (
	"cmp"
	"slices"
	"time"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/process"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/request"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/stall"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/window"
)

// maxCauses bounds the causes that are told apart in one request; time of further
// ones counts as that of [stall.OtherLabel].
const maxCauses = 32

// Totals are of all stalls that a request met, shown or not. Where several
// threads are stalled at once, the time counts once.
type Totals struct {
	Count     int
	Truncated bool          // there were more, which were not looked at
	Hull      window.Window // from the first to the last
	Time      time.Duration // in which at least one thread was stalled
	Excess    time.Duration // of Time, what is over the typical
	Causes    []Cause       // by time, the longest first
	Phases    [request.NumPhases]time.Duration
	Processes []process.ID // with stalls, in the order in which these began

	phases *request.Phases
	phase  request.Phase // the first that is not over
	until  window.Time
}

// Cause is what stalls of one cause took.
type Cause struct {
	Name  string
	Count int
	Time  time.Duration

	label stall.Label
	until window.Time
}

func (t *Totals) reset(r *request.Request) {
	*t = Totals{Causes: t.Causes[:0], Processes: t.Processes[:0], phases: &r.Phases, until: r.Served.Start}
}

// add counts a stall. Stalls come by their start.
func (t *Totals) add(found *stall.Entry, overlap window.Window) {
	t.Count++
	t.Hull = t.Hull.Hull(overlap)
	if !slices.Contains(t.Processes, found.Process) {
		t.Processes = append(t.Processes, found.Process)
	}
	t.cause(found.Label).add(overlap)
	if fresh := beyond(overlap, t.until); !fresh.Empty() {
		took := fresh.Duration()
		t.until = fresh.End
		t.Time += took
		t.Excess += times(took, found.Over)
		t.addPhases(fresh)
	}
}

// beyond returns the part of w after a time.
func beyond(w window.Window, after window.Time) window.Window {
	return window.Window{Start: max(w.Start, after), End: w.End}
}

// addPhases adds a part of the request to the phases that it is in. Parts come
// in their order, as the phases are: those that are over are not looked at again.
func (t *Totals) addPhases(fresh window.Window) {
	for t.phase < request.NumPhases && t.phases[t.phase].End <= fresh.Start {
		t.phase++
	}
	for p := t.phase; p < request.NumPhases; p++ {
		t.Phases[p] += fresh.And(t.phases[p]).Duration()
	}
}

func (t *Totals) cause(label stall.Label) *Cause {
	for i := range t.Causes {
		if t.Causes[i].label == label {
			return &t.Causes[i]
		}
	}
	if label != stall.OtherLabel && len(t.Causes) >= maxCauses-1 {
		return t.cause(stall.OtherLabel)
	}
	t.Causes = append(t.Causes, Cause{label: label})
	return &t.Causes[len(t.Causes)-1]
}

func (c *Cause) add(overlap window.Window) {
	c.Count++
	c.Time += beyond(overlap, c.until).Duration()
	c.until = max(c.until, overlap.End)
}

func (t *Totals) finish(store *stall.Store) Totals {
	for i := range t.Causes {
		t.Causes[i].Name = store.Name(t.Causes[i].label)
	}
	slices.SortStableFunc(t.Causes, func(a, b Cause) int { return cmp.Compare(b.Time, a.Time) })
	return *t
}
