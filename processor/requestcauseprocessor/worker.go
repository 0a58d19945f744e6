package requestcauseprocessor

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/client"
	"go.uber.org/zap"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/core"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/group"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/scan"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/spans"
)

// idle is how long the worker sleeps where nothing is held: it forgets what is
// too old then.
const idle = 10 * time.Second

// run lets held payloads leave, in their order, until the hold is closed and
// empty. ctx ends what it waits for downstream.
func (j *joiner) run(ctx context.Context) {
	timer := time.NewTimer(idle)
	defer timer.Stop()
	for !j.hold.ended() {
		j.meet()
		if pause := j.release(ctx); pause > 0 {
			timer.Reset(pause)
			select {
			case <-j.hold.changed:
			case <-j.hold.told():
			case <-timer.C:
				j.advance()
			}
		}
	}
}

// meet remembers the requests of what came as neighbours of others, once it is
// known who has sent them.
func (j *joiner) meet() {
	for p := j.hold.arrived(time.Now()); p != nil; p = j.hold.arrived(time.Now()) {
		j.guard(func() { j.remember(p) })
	}
}

func (j *joiner) remember(p *held) {
	for i := range p.found.Requests {
		r := &p.found.Requests[i]
		d := j.locate(&p.found, r, p.meeting)
		j.mu.Lock()
		j.core.Remember(&r.Request, &d, now())
		j.mu.Unlock()
	}
}

// release lets the first payload leave if it is to, and returns how long to wait
// otherwise.
func (j *joiner) release(ctx context.Context) time.Duration {
	p, why, again := j.hold.next(time.Now())
	if p == nil {
		if again.IsZero() {
			return idle
		}
		return max(time.Until(again), time.Microsecond)
	}
	defer j.hold.done(p)
	defer p.meeting.End()
	if why == exitEarly {
		j.report.early(ctx)
	}
	j.guard(func() { j.join(ctx, p) })
	j.pass(ctx, p)
	return 0
}

// join appends to a payload what its requests met, by what is known now.
func (j *joiner) join(ctx context.Context, p *held) {
	began := time.Now()
	if !p.meeting.Answered() {
		j.report.unanswered(ctx)
	}
	decisions := make([]group.Decision, len(p.found.Requests))
	for i := range p.found.Requests {
		decisions[i] = j.locate(&p.found, &p.found.Requests[i], p.meeting)
	}
	tally := newTally()
	to := j.begin(p)
	for i := range p.found.Requests {
		tally.add(&decisions[i], j.joinOne(to, &p.found.Requests[i], &decisions[i]))
	}
	j.finish(to)
	j.report.joined(ctx, tally, time.Since(began))
}

func (j *joiner) begin(p *held) *spans.Payload {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.core.Begin(p.traces)
}

func (j *joiner) joinOne(to *spans.Payload, r *scan.Request, d *group.Decision) core.Outcome {
	if d.Outcome != group.Resolved {
		return core.Outcome{}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.core.Join(to, &r.Request, d, now())
}

func (j *joiner) finish(to *spans.Payload) {
	j.mu.Lock()
	defer j.mu.Unlock()
	to.Finish()
}

// pass hands a payload to the next consumer, which gets nothing more once ctx has
// ended. What it refuses or does not get is counted and dropped: the sender has had
// its answer long before.
func (j *joiner) pass(ctx context.Context, p *held) {
	ctx = client.NewContext(ctx, p.client)
	n := p.traces.SpanCount()
	err := ctx.Err()
	if err == nil {
		err = j.next.ConsumeTraces(ctx, p.traces)
	}
	if err != nil {
		j.report.refused(ctx, n)
		j.logger.Debug("Spans were refused", zap.Int("spans", n), zap.Error(err))
	}
}

// advance forgets what is too old.
func (j *joiner) advance() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.core.Advance(now())
}
