package join

import (
	"cmp"
	"slices"
	"time"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/group"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/process"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/request"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/stall"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/window"
)

// Settings say what is selected.
type Settings struct {
	Top        int           // stalls that are shown, of those that overlap the request most
	MinOverlap time.Duration // what overlaps it for less does not count
	MaxLooked  int           // stalls looked at for one request
}

// Hit is a stall that is shown with a request.
type Hit struct {
	stall.Stall
	Process process.ID
	Overlap window.Window // with the request
	Phase   request.Phase // the one that it overlaps most
	Shares  [request.NumPhases]float64
	Linked  bool // the stall's trace is to be linked to the request

	record *stall.Record
	over   float32
}

// Link takes one of the links that the stall's trace may have, of most, as far
// as there is one left.
func (h *Hit) Link(most uint32) { h.Linked = h.record.Link(most) }

// Excess returns how much of the overlap is over what is typical, as if the
// excess were spread evenly over the stall.
func (h *Hit) Excess() time.Duration { return times(h.Overlap.Duration(), h.over) }

func times(d time.Duration, share float32) time.Duration {
	return time.Duration(float64(d) * float64(share))
}

// Result is what a request met.
type Result struct {
	Hits    []Hit // the longest overlaps, the longest first
	Shown   int   // so many of Hits are shown
	Totals  Totals
	Request *request.Request
}

// atLeast is how many of the longest overlaps are told, shown or not.
const atLeast = 4

// Selector selects. It is for one goroutine, and what it returns is valid until
// the next selection.
type Selector struct {
	settings Settings
	hits     top
	totals   Totals
}

// NewSelector returns a Selector.
func NewSelector(settings Settings) *Selector { return &Selector{settings: settings} }

// Select returns the stalls of a group that a request met.
func (s *Selector) Select(store *stall.Store, r *request.Request, d *group.Decision) Result {
	s.hits.reset(max(s.settings.Top, atLeast))
	s.totals.reset(r)
	looked := 0
	store.Visit(stall.Query{Window: r.Served, Processes: d.Members, TID: d.TID}, func(found *stall.Entry) bool {
		if looked++; looked > s.settings.MaxLooked {
			s.totals.Truncated = true
			return false
		}
		overlap := found.And(r.Served)
		if overlap.Duration() >= s.settings.MinOverlap {
			s.totals.add(found, overlap)
			s.hits.offer(found, overlap)
		}
		return true
	})
	result := Result{Hits: s.describe(r), Totals: s.totals.finish(store), Request: r}
	result.Shown = min(s.shown(r), len(result.Hits))
	return result
}

func (s *Selector) shown(r *request.Request) int {
	if r.Detail == request.DetailSummary {
		return 0
	}
	return s.settings.Top
}

// describe copies what is shown out of the store.
func (s *Selector) describe(r *request.Request) []Hit {
	chosen := s.hits.sorted()
	hits := make([]Hit, 0, len(chosen))
	for _, c := range chosen {
		hit := Hit{Stall: c.record.Stall, Process: c.record.Thread.Process, Overlap: c.overlap, record: c.record, over: c.over}
		hit.Phase, hit.Shares = phaseOf(c.overlap, &r.Phases)
		hits = append(hits, hit)
	}
	return hits
}

// phaseOf returns the phase that a part of a request overlaps most, and how much
// of it is in each. Time in no known phase is in PhaseNone.
func phaseOf(part window.Window, phases *request.Phases) (request.Phase, [request.NumPhases]float64) {
	var shares [request.NumPhases]float64
	whole, rest := float64(part.Duration()), 1.0
	largest := request.PhaseNone
	for p := request.PhaseNone + 1; p < request.NumPhases; p++ {
		shares[p] = float64(part.And(phases[p]).Duration()) / whole
		rest -= shares[p]
		if shares[p] > shares[largest] {
			largest = p
		}
	}
	shares[request.PhaseNone] = max(rest, 0)
	return largest, shares
}

// candidate is a stall that may be shown.
type candidate struct {
	record  *stall.Record
	over    float32
	overlap window.Window
}

// compare orders candidates by overlap, the longest first, then as they came,
// which is by start.
func compare(a, b candidate) int { return cmp.Compare(b.overlap.Duration(), a.overlap.Duration()) }

// top keeps the candidates with the longest overlaps. It looks at the shortest
// kept one only once it is full, and cuts when it is twice too long.
type top struct {
	most int
	kept []candidate
	bar  time.Duration // what is not longer than this is not among the longest
}

func (t *top) reset(most int) { t.most, t.kept, t.bar = most, t.kept[:0], -1 }

func (t *top) offer(found *stall.Entry, overlap window.Window) {
	if overlap.Duration() <= t.bar {
		return
	}
	t.kept = append(t.kept, candidate{record: found.Record, over: found.Over, overlap: overlap})
	if len(t.kept) >= 2*t.most {
		t.cut()
	}
}

func (t *top) cut() {
	slices.SortStableFunc(t.kept, compare)
	if len(t.kept) >= t.most {
		t.kept = t.kept[:t.most]
		t.bar = t.kept[t.most-1].overlap.Duration()
	}
}

func (t *top) sorted() []candidate {
	t.cut()
	return t.kept
}
