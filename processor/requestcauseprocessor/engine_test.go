package requestcauseprocessor

import (
	"math/rand/v2"
	"slices"
	"time"
)

// engine is an inference engine, simulated in wall time: it takes waiting
// requests into its batch at the beginning of each step, spends a step on their
// prefills and everybody's next token, and now and then has a fault, which makes
// a step longer.
type engine struct {
	random *rand.Rand
	now    time.Time
	faults []fault // by start
	steps  []cycle // those that the receiver would call a stall
	done   []*served
}

// fault is what goes wrong: from its start on, for so long, the engine does nothing.
type fault struct {
	at    time.Time
	takes time.Duration
	cause string
}

// served is a request in the engine, and what happened to it there.
type served struct {
	arrived   time.Time
	prompt    int64
	tokens    int64 // still to come
	total     int64
	scheduled time.Time
	first     time.Time
	last      time.Time
	lagFirst  time.Duration // until the API server has its first token
	lagLast   time.Duration
	met       []cycle // the stalls of the engine that it had to wait through
	grazed    bool    // it met one for less than can be told
}

const (
	decodeStep = 5 * time.Millisecond
	perToken   = 20 * time.Microsecond // of prefill
	batchSize  = 32
)

// run serves requests, which are sorted by arrival.
func (e *engine) run(waiting []*served) {
	var batch []*served
	for len(waiting) > 0 || len(batch) > 0 {
		if len(batch) == 0 && waiting[0].arrived.After(e.now) {
			e.now = waiting[0].arrived
		}
		var admitted []*served
		for len(waiting) > 0 && len(batch) < batchSize && !waiting[0].arrived.After(e.now) {
			batch, admitted, waiting = append(batch, waiting[0]), append(admitted, waiting[0]), waiting[1:]
		}
		e.step(batch, admitted)
		batch = slices.DeleteFunc(batch, func(s *served) bool {
			if s.tokens == 0 {
				e.done = append(e.done, s)
			}
			return s.tokens == 0
		})
	}
}

// step is one dispatch cycle of the engine's thread.
func (e *engine) step(batch, admitted []*served) {
	begin, cause := e.now, "gpu_busy"
	for _, s := range admitted {
		s.scheduled = begin
		e.now = e.now.Add(time.Duration(s.prompt) * perToken)
	}
	e.now = e.now.Add(decodeStep + time.Duration(e.random.IntN(500))*time.Microsecond)
	for len(e.faults) > 0 && e.faults[0].at.Before(e.now) {
		if !e.faults[0].at.Before(begin) {
			e.now, cause = e.now.Add(e.faults[0].takes), e.faults[0].cause
		}
		e.faults = e.faults[1:]
	}
	for _, s := range batch {
		s.tokens--
		if s.first.IsZero() {
			s.first = e.now
		}
		s.last = e.now
	}
	if e.now.Sub(begin) > 10*time.Millisecond && e.now.Sub(begin) > decodeStep*3/2 {
		e.steps = append(e.steps, cycle{start: begin, end: e.now, cause: cause, typical: decodeStep})
	}
}

// judge says which stalls each request had to wait through: those that were
// going on between its arrival and its last token.
func (e *engine) judge(least time.Duration) {
	for _, s := range e.done {
		for _, step := range e.steps {
			from, to := step.start, step.end
			if s.arrived.After(from) {
				from = s.arrived
			}
			if s.last.Before(to) {
				to = s.last
			}
			switch overlap := to.Sub(from); {
			case overlap >= least:
				s.met = append(s.met, step)
			case overlap > 0:
				s.grazed = true
			}
		}
	}
}
