package api

import (
	"sync"
	"time"

	"github.com/gpucause/gpucause/testdata/llmserver/internal/engine"
	"github.com/gpucause/gpucause/testdata/llmserver/internal/requestspan"
)

// engines are the data-parallel ranks and what each of them works on. Safe for
// concurrent use.
type engines struct {
	tracer *requestspan.Tracer
	ranks  []*rank
}

type rank struct {
	link *engine.Link

	mu        sync.Mutex
	sequences map[string]*sequence
	ended     error // why there are no more tokens
}

func newEngines(links []*engine.Link, tracer *requestspan.Tracer) *engines {
	e := &engines{tracer: tracer}
	for _, link := range links {
		e.ranks = append(e.ranks, &rank{link: link, sequences: make(map[string]*sequence)})
	}
	return e
}

// run delivers tokens until the first engine ends, and returns why. Then no sequence
// stays open.
func (e *engines) run() error {
	ended := make(chan error, len(e.ranks))
	for _, r := range e.ranks {
		go func() { ended <- r.run(e.tracer) }()
	}
	return <-ended
}

func (e *engines) close() {
	for _, r := range e.ranks {
		_ = r.link.Close() // the engine sees it either way
	}
}

// add gives the sequence to the engine with the fewest; abort takes it back.
func (e *engines) add(s *sequence) (abort func(), err error) {
	least := e.ranks[0]
	for _, r := range e.ranks[1:] {
		if r.load() < least.load() {
			least = r
		}
	}
	if err := least.add(s); err != nil {
		return nil, err
	}
	return func() { least.abort(s) }, nil
}

func (e *engines) fault(name string, length time.Duration) error {
	for _, r := range e.ranks {
		if err := r.link.Fault(name, length); err != nil {
			return err
		}
	}
	return nil
}

func (r *rank) load() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.sequences)
}

func (r *rank) add(s *sequence) error {
	if err := r.register(s); err != nil {
		return err
	}
	if err := r.link.Add(s.asked()); err != nil {
		r.forget(s)
		return err
	}
	return nil
}

func (r *rank) register(s *sequence) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended != nil {
		return r.ended
	}
	r.sequences[s.id] = s
	return nil
}

func (r *rank) forget(s *sequence) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.sequences, s.id)
}

// abort makes the engine forget a sequence whose client has gone. There is no span
// of it.
func (r *rank) abort(s *sequence) {
	select {
	case <-s.done:
		return
	default:
	}
	r.forget(s)
	_ = r.link.Abort(s.id) // of an engine that has ended nothing runs
}

func (r *rank) run(tracer *requestspan.Tracer) error {
	err := r.link.Tokens(func(token engine.Token) { r.take(token, tracer) })
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = err
	for id, s := range r.sequences {
		s.err = err
		close(s.done)
		delete(r.sequences, id)
	}
	return err
}

// take delivers a token. Those of an aborted sequence may still come.
func (r *rank) take(token engine.Token, tracer *requestspan.Tracer) {
	s := r.find(token)
	if s == nil {
		return
	}
	if request, complete := s.take(token); complete {
		tracer.Record(s.parent, request)
		close(s.done)
	}
}

// find returns the sequence of a token; a last token ends its being registered.
func (r *rank) find(token engine.Token) *sequence {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.sequences[token.ID]
	if token.Last {
		delete(r.sequences, token.ID)
	}
	return s
}
