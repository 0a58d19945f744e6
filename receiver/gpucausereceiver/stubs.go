package gpucausereceiver

import (
	"context"

	"github.com/gpucause/gpucause/internal/event"
)

// maxStubs bounds the questions that wait, and the answers.
const maxStubs = 256

// stub is a host function of a process.
type stub struct {
	pid     event.PID
	address uint64
}

// stubs names host functions beside the pipeline's goroutine, because a symbol
// table may be long.
type stubs struct {
	nameOf    func(event.PID, uint64) (string, error)
	questions chan stub
	found     chan namedStub
}

type namedStub struct {
	stub
	symbol string
}

// newStubs returns stubs that are named by nameOf, which is called by one
// goroutine; nil names none.
func newStubs(nameOf func(event.PID, uint64) (string, error)) *stubs {
	return &stubs{nameOf: nameOf, questions: make(chan stub, maxStubs), found: make(chan namedStub, maxStubs)}
}

// ask has a host function named. Where too many wait it returns false: ask again.
func (s *stubs) ask(what stub) bool {
	select {
	case s.questions <- what:
		return true
	default:
		return false
	}
}

// answers calls visit for what has been named since. What has no name is not there.
func (s *stubs) answers(visit func(stub, string)) {
	for {
		select {
		case named := <-s.found:
			visit(named.stub, named.symbol)
		default:
			return
		}
	}
}

// run names until ctx ends.
func (s *stubs) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case what := <-s.questions:
			s.answer(ctx, what)
		}
	}
}

func (s *stubs) answer(ctx context.Context, what stub) {
	if s.nameOf == nil {
		return
	}
	symbol, err := s.nameOf(what.pid, what.address)
	if err != nil {
		return
	}
	select {
	case s.found <- namedStub{what, symbol}:
	case <-ctx.Done():
	}
}
