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

// maxLooked bounds how many of a group's latest requests are looked at.
const maxLooked = 4096

// Neighbour is a request that ran while another waited. Spans of several
// sequences of one request count as one.
type Neighbour struct {
	ID    string // empty where the request has none
	Trace pcommon.TraceID
	Span  pcommon.SpanID // of its first sequence
	Self  bool           // it is the request that waited

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
// windows, the most work first, r itself among them.
func (s *Store) Find(group process.ID, r *request.Request, waits []window.Window) []Neighbour {
	of, ok := s.groups[group]
	if !ok || len(waits) == 0 {
		return nil
	}
	clear(s.heaviest)
	var total float64
	for i := max(of.head, len(of.requests)-maxLooked); i < len(of.requests); i++ {
		total += s.weigh(&of.requests[i], r, waits)
	}
	return s.sorted(total)
}

// weigh adds one span's part of the work in the windows, and returns it.
func (s *Store) weigh(other *seen, r *request.Request, waits []window.Window) float64 {
	overlap, work := other.in(waits)
	if overlap == 0 {
		return 0
	}
	key := other.key()
	n, ok := s.heaviest[key]
	if !ok {
		n = &Neighbour{ID: other.id, Trace: other.trace, Span: other.span}
		s.heaviest[key] = n
	}
	n.add(other, overlap, work)
	n.Self = n.Self || other.span == r.Span && other.trace == r.Trace || r.ID != "" && r.ID == other.id
	return work
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

// key is the same for all sequences of a request.
func (s *seen) key() string {
	if s.id != "" {
		return s.id
	}
	return string(append(s.trace[:], s.span[:]...))
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
	produced := float64(s.work.CompletionTokens) * float64(1+s.work.Logprobs)
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

func (s *Store) sorted(total float64) []Neighbour {
	found := make([]Neighbour, 0, len(s.heaviest))
	for _, n := range s.heaviest {
		if total > 0 {
			n.Share = n.work / total
		}
		found = append(found, *n)
	}
	slices.SortFunc(found, func(a, b Neighbour) int {
		return cmp.Or(
			cmp.Compare(b.Share, a.Share), cmp.Compare(b.Overlap, a.Overlap),
			cmp.Compare(a.ID, b.ID), slices.Compare(a.Span[:], b.Span[:]),
		)
	})
	return found
}
