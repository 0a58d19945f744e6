package neighbour

import (
	"cmp"
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/process"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/request"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/window"
)

// maxLooked bounds how many of a group's latest requests are looked at. Servers
// run a few hundred at once.
const maxLooked = 2048

// Neighbour is a request that ran while another waited. Spans of several
// sequences of one request count as one.
type Neighbour struct {
	ID    string // empty where the request has none
	Trace pcommon.TraceID
	Span  pcommon.SpanID // of its first sequence
	Self  bool           // it is the request that waited, or another span of that

	Sequences        int64
	PromptTokens     int64 // of one sequence: they share it
	CompletionTokens int64 // of all
	Logprobs         int64

	// Overlap is how much of the waiting it ran through.
	Overlap time.Duration
	// Share is how much of all the work that is known to have run meanwhile was
	// this request's, 0 to 1.
	Share float64

	work  float64
	spans int64
}

// Find returns the requests of a group that ran while r waited in the given
// windows, the most work first, r itself among them: as many as asked for.
func (s *Store) Find(group process.ID, r *request.Request, waits []window.Window) []Neighbour {
	of, ok := s.groups[group]
	if !ok || len(waits) == 0 {
		return nil
	}
	s.asked.reset()
	for i := max(of.head, len(of.requests)-maxLooked); i < len(of.requests); i++ {
		s.asked.weigh(&of.requests[i], r, waits)
	}
	return s.asked.first(s.settings.MostFound)
}

// question is what comes together for one answer. It is used again, to allocate
// little.
type question struct {
	at    map[key]int // in found
	found []Neighbour
	total float64
}

// key is the same for all sequences of a request.
type key struct {
	id    string
	trace pcommon.TraceID // where there is no id
	span  pcommon.SpanID
}

func (s *seen) key() key {
	if s.id != "" {
		return key{id: s.id}
	}
	return key{trace: s.trace, span: s.span}
}

func (q *question) reset() {
	if q.at == nil {
		q.at = make(map[key]int)
	}
	clear(q.at)
	q.found, q.total = q.found[:0], 0
}

// weigh adds one span's part of the work in the windows. Where r says its own work,
// the spans above and below it say the same once more and do not count.
func (q *question) weigh(other *seen, r *request.Request, waits []window.Window) {
	overlap, work := other.in(waits)
	if overlap == 0 || other.relative(r) && r.Work.Tokens() > 0 {
		return
	}
	q.neighbour(other, r).add(other, overlap, work)
	q.total += work
}

// neighbour returns the request that a span is of. All spans of r are one.
func (q *question) neighbour(other *seen, r *request.Request) *Neighbour {
	of, self := other.key(), other.isOf(r)
	if self {
		of = key{trace: r.Trace, span: r.Span}
	}
	at, ok := q.at[of]
	if !ok {
		at = len(q.found)
		q.at[of] = at
		q.found = append(q.found, Neighbour{ID: other.id, Trace: other.trace, Span: other.span, Self: self})
	}
	return &q.found[at]
}

// isOf reports whether s is a span of the same request as r: r itself, what it is
// a part of, a part of it, or one with the same id.
func (s *seen) isOf(r *request.Request) bool {
	return s.trace == r.Trace && s.span == r.Span || s.relative(r) || r.ID != "" && r.ID == s.id
}

// relative reports whether one of the two spans is the other's parent.
func (s *seen) relative(r *request.Request) bool {
	return s.trace == r.Trace && (s.span == r.Parent || s.parent == r.Span)
}

func (n *Neighbour) add(other *seen, overlap time.Duration, work float64) {
	n.spans++
	n.Sequences = max(n.Sequences, n.spans, other.work.Sequences)
	n.PromptTokens = max(n.PromptTokens, other.work.PromptTokens)
	n.CompletionTokens += other.work.CompletionTokens
	n.Logprobs = max(n.Logprobs, other.work.Logprobs)
	n.Overlap = max(n.Overlap, overlap)
	n.work += work
}

// in returns for how long the request ran in the windows, and about how much of
// its work it did there: tokens, those of the prompt spread over its prefill,
// those that it produced over the rest, each with its logprobs.
func (s *seen) in(waits []window.Window) (time.Duration, float64) {
	var overlap time.Duration
	var work float64
	prefill, decode := s.running, s.running
	if !s.prefill.Empty() {
		prefill, decode.Start = s.prefill, s.prefill.End
	}
	prompt := float64(s.work.PromptTokens)
	produced := float64(s.work.CompletionTokens) * (1 + float64(s.work.Logprobs))
	for _, wait := range waits {
		overlap += s.running.And(wait).Duration()
		work += prompt*part(prefill, wait) + produced*part(decode, wait)
	}
	return overlap, work
}

// part returns how much of w is in wait, 0 to 1.
func part(w, wait window.Window) float64 {
	if w.Empty() {
		return 0
	}
	return float64(w.And(wait).Duration()) / float64(w.Duration())
}

// first returns those that did the most, so many at most.
func (q *question) first(most int) []Neighbour {
	kept := make([]Neighbour, 0, most+1)
	for i := range q.found {
		n := &q.found[i]
		if q.total > 0 {
			n.Share = n.work / q.total
		}
		if at, _ := slices.BinarySearchFunc(kept, n, compare); at < most {
			kept = slices.Insert(kept, at, *n)
			kept = kept[:min(len(kept), most)]
		}
	}
	return kept
}

func compare(a Neighbour, b *Neighbour) int {
	if a.Share != b.Share {
		return cmp.Compare(b.Share, a.Share)
	}
	return cmp.Or(cmp.Compare(b.Overlap, a.Overlap), cmp.Compare(a.ID, b.ID), slices.Compare(a.Span[:], b.Span[:]))
}
