package neighbour

import (
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/process"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/request"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/window"
)

// Settings bound a Store.
type Settings struct {
	Retention   time.Duration // how long after its end a request is remembered
	MaxRequests int           // spans, of all groups
	MostFound   int           // neighbours that an answer has
}

// seen is one span of a request.
type seen struct {
	trace   pcommon.TraceID
	span    pcommon.SpanID
	parent  pcommon.SpanID // empty where it has none
	id      string
	running window.Window // from its first scheduling on
	prefill window.Window // empty where it is not known
	work    request.Work
}

// Store remembers requests by group. It is for one goroutine.
type Store struct {
	settings Settings
	groups   map[process.ID]*served
	order    []process.ID // groups of the remembered requests, as these came
	head     int
	evicted  uint64

	asked question
}

// served is the requests of one group, as they came. [head:] are live.
type served struct {
	requests []seen
	head     int
}

// NewStore returns an empty Store.
func NewStore(settings Settings) *Store {
	return &Store{settings: settings, groups: make(map[process.ID]*served)}
}

// Add remembers a request of a group that says how much work it was. The span of a
// thread is a part of a request: the request's own span says the work.
func (s *Store) Add(group process.ID, r *request.Request, now window.Time) {
	s.Advance(now)
	if r.Thread.TID != 0 || r.Work.Tokens() == 0 {
		return
	}
	if s.Len() >= s.settings.MaxRequests {
		s.forget()
		s.evicted++
	}
	of, ok := s.groups[group]
	if !ok {
		of = &served{}
		s.groups[group] = of
	}
	of.requests = append(of.requests, remember(r))
	s.order = append(s.order, group)
}

func remember(r *request.Request) seen {
	running := r.Served
	if queue := r.Phases[request.PhaseQueue]; !queue.Empty() {
		running.Start = queue.End
	}
	return seen{
		trace: r.Trace, span: r.Span, parent: r.Parent, id: r.ID, work: r.Work,
		running: running, prefill: r.Phases[request.PhasePrefill],
	}
}

// Advance forgets requests that ended before the retention.
func (s *Store) Advance(now window.Time) {
	oldest := now.Add(-s.settings.Retention)
	for s.Len() > 0 {
		of := s.groups[s.order[s.head]]
		if of.requests[of.head].running.End >= oldest {
			return
		}
		s.forget()
	}
}

// forget forgets the request that came first.
func (s *Store) forget() {
	group := s.order[s.head]
	s.head++
	if s.head > 1024 && s.head > len(s.order)/2 {
		s.order = slices.Delete(s.order, 0, s.head)
		s.head = 0
	}
	s.groups[group].forget()
	if s.groups[group].len() == 0 {
		delete(s.groups, group)
	}
}

func (s *served) forget() {
	s.requests[s.head] = seen{}
	s.head++
	if s.head > 64 && s.head > len(s.requests)/2 {
		s.requests = slices.Delete(s.requests, 0, s.head)
		s.head = 0
	}
}

func (s *served) len() int { return len(s.requests) - s.head }

// Len returns how many requests are remembered.
func (s *Store) Len() int { return len(s.order) - s.head }

// Evicted returns how many were forgotten for want of room.
func (s *Store) Evicted() uint64 { return s.evicted }
