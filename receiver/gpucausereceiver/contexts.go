package gpucausereceiver

import (
	"errors"
	"maps"
	"time"

	"github.com/gpucause/gpucause/internal/capture"
	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
	"github.com/gpucause/gpucause/internal/processcontext"
	"github.com/gpucause/gpucause/internal/threadcontext"
)

const (
	// contextFirst is how long after the first time what a process publishes is
	// read again; each time after that it takes twice as long, up to contextLast.
	contextFirst = time.Second
	contextLast  = 5 * time.Minute
)

// contextQuestion asks what a program of a process publishes.
type contextQuestion struct {
	of      *publisher
	id      event.ProcessID
	program capture.Program
	threads bool // where its threads publish, too
}

// contextAnswer is what it publishes, as far as it could be read.
type contextAnswer struct {
	process    processcontext.Context
	processErr error
	place      threadcontext.Place
	placeErr   error
}

// placer is told where thread contexts are.
type placer interface {
	Program(event.PID) (capture.Program, error)
	PlaceThreadContext(capture.Program, threadcontext.Place) error
}

// publisher is a process that may publish who it is and which spans its threads
// are in, as long as it runs one program.
type publisher struct {
	id    event.ProcessID
	due   ktime.Time // when to read it; 0: as soon as there is a time
	pause time.Duration

	resource map[string]any      // as it published it
	schema   string              // of its thread contexts, as it said when it could last be read
	place    threadcontext.Place // as the kernel side knows it
	losses   map[string]bool     // that have been counted
}

// contexts reads what processes publish, again and again, because they may publish
// it at any time.
type contexts struct {
	config     TraceContextConfig
	asker      *asker[contextQuestion, contextAnswer]
	placer     placer
	processes  *processes
	max        int
	publishers map[event.PID]*publisher
	losses     map[string]uint64
}

func newContexts(config *Config, placer placer, processes *processes, read func(contextQuestion) (contextAnswer, error)) *contexts {
	return &contexts{
		config: config.TraceContext, placer: placer, processes: processes,
		asker:      newAsker(read),
		max:        int(config.Limits.MaxProcesses),
		publishers: make(map[event.PID]*publisher),
		losses:     make(map[string]uint64),
	}
}

// watch reads what a process publishes from now on.
func (c *contexts) watch(id event.ProcessID) {
	if c.asker.answer == nil || !c.config.ProcessContext && !c.config.ThreadContext {
		return
	}
	if _, known := c.publishers[id.PID]; !known && len(c.publishers) >= c.max {
		c.losses["refused"]++
		return
	}
	c.publishers[id.PID] = &publisher{id: id, pause: contextFirst, losses: make(map[string]bool)}
}

// forget ends that: the process has executed another program.
func (c *contexts) forget(pid event.PID) { delete(c.publishers, pid) }

// end ends it for a process that is gone, unless its number has a new owner.
func (c *contexts) end(id event.ProcessID) {
	if p := c.publishers[id.PID]; p != nil && p.id.Start <= id.Start {
		c.forget(id.PID)
	}
}

// collect takes in what was read, and reads what is due.
func (c *contexts) collect(now ktime.Time) {
	c.asker.answers(func(q contextQuestion, answer contextAnswer) {
		if c.publishers[q.id.PID] == q.of {
			c.takeProcess(q.of, &answer)
			c.takePlace(q.of, q.program, &answer)
		}
	})
	for _, p := range c.publishers {
		if now >= p.due {
			c.ask(p, now)
		}
	}
}

func (c *contexts) ask(p *publisher, now ktime.Time) {
	program, err := c.placer.Program(p.id.PID)
	if err == nil && !c.asker.ask(contextQuestion{of: p, id: p.id, program: program, threads: c.config.ThreadContext}) {
		return // at the next collect
	}
	p.due = now.Add(p.pause)
	p.pause = min(2*p.pause, contextLast)
}

func (c *contexts) takeProcess(p *publisher, answer *contextAnswer) {
	if answer.processErr != nil {
		c.lose(p, "process_context")
		return
	}
	p.schema = answer.process.ThreadSchema
	if c.config.ProcessContext && !maps.Equal(p.resource, answer.process.Resource) {
		p.resource = answer.process.Resource
		c.processes.publish(p.id, p.resource)
	}
}

// schemas are the values of threadlocal.schema_version by which thread contexts
// are read; a process that says nothing has one, too.
var schemas = map[string]bool{"": true, "tlsdesc_v1_dev": true, "tls_v1": true}

// lostPlaces are the errors by which a place that was known is none any more. By
// others nothing is known: threads keep what they had.
var lostPlaces = []error{threadcontext.ErrAmbiguous, threadcontext.ErrDynamic}

// takePlace has the kernel side read thread contexts where they are, if they are of
// a known kind. It comes after takeProcess.
func (c *contexts) takePlace(p *publisher, program capture.Program, answer *contextAnswer) {
	place := answer.place
	if answer.placeErr != nil {
		c.lose(p, "thread_context")
		place = p.kept(answer.placeErr)
	}
	if place.Known() && !schemas[p.schema] {
		c.lose(p, "schema")
		place = threadcontext.Place{}
	}
	if place == p.place {
		return
	}
	if err := c.placer.PlaceThreadContext(program, place); err != nil {
		c.lose(p, "refused")
		return
	}
	p.place = place
}

// kept is what is left of a known place after an error.
func (p *publisher) kept(err error) threadcontext.Place {
	for _, lost := range lostPlaces {
		if errors.Is(err, lost) {
			return threadcontext.Place{}
		}
	}
	return p.place
}

// lose counts what could not be read of a process, each kind once.
func (c *contexts) lose(p *publisher, reason string) {
	if !p.losses[reason] {
		p.losses[reason] = true
		c.losses[reason]++
	}
}

// contextStats are figures of contexts for the component's metrics.
type contextStats struct {
	losses           map[string]uint64
	process, threads int // processes that publish
}

func (c *contexts) stats() contextStats {
	s := contextStats{losses: maps.Clone(c.losses)}
	for _, p := range c.publishers {
		if len(p.resource) > 0 {
			s.process++
		}
		if p.place.Known() {
			s.threads++
		}
	}
	return s
}
