package requestcauseprocessor

import (
	"context"
	"time"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/locate"
)

// scouts are the goroutines of a scout.
const scouts = 2

// scout asks the machine, beside what passes: one goroutine looks at processes,
// another one finds out whose connections are. The machine may hold up each of
// them for any time.
type scout struct {
	*knowledge
	end   context.CancelFunc // nil unless started
	ended chan struct{}      // has a value of each goroutine that has ended
}

// start starts the goroutines. It is called once at most.
func (s *scout) start() {
	ctx, cancel := context.WithCancel(context.Background())
	s.end, s.ended = cancel, make(chan struct{}, scouts)
	for _, run := range [scouts]func(context.Context){s.look, s.search} {
		go func() {
			defer func() { s.ended <- struct{}{} }()
			run(ctx)
		}()
	}
}

// stop ends the goroutines. One that the machine does not let go of ends when it
// does; it is waited for until ctx ends or it is overdue.
func (s *scout) stop(ctx context.Context) {
	if s.end == nil {
		return
	}
	s.end()
	overdue := time.NewTimer(locate.Patience)
	defer overdue.Stop()
	for range scouts {
		select {
		case <-s.ended:
			continue
		case <-ctx.Done():
		case <-overdue.C:
		}
		s.logger.Warn("A look at this machine's processes has not ended and is left behind")
		return
	}
}

// look looks at processes when one was learnt of, and from time to time.
func (s *scout) look(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		s.guard(s.locator.Look)
		timer.Reset(s.locator.Rest())
		select {
		case <-ctx.Done():
		case <-s.news:
		case <-timer.C:
		}
	}
}

// search finds out whose connections are, one after the other.
func (s *scout) search(ctx context.Context) {
	for ctx.Err() == nil {
		more := true
		s.guard(func() { more = s.locator.Search() })
		if more {
			continue
		}
		select {
		case <-ctx.Done():
		case <-s.locator.Asked():
		}
	}
}
