// Package engine is the way from spans to verdicts: it reads, pairs and judges. It
// is pure: time is passed in.
package engine

import (
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/collective"
	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/intake"
	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/pairing"
	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/verdict"
)

// Settings are those of the parts.
type Settings struct {
	Pairing pairing.Settings
	Judging verdict.Settings
}

// Engine makes verdicts of spans. It is for one goroutine at a time, and the times
// that it is given never go back.
type Engine struct {
	reader *intake.Reader
	store  *pairing.Store
	judge  *verdict.Judge
	take   func(*verdict.Verdict)

	now    time.Time         // of what is being done
	report collective.Report // scratch
	tally  Tally
}

// New returns an Engine that hands its verdicts to take, which must not call it.
func New(settings Settings, take func(*verdict.Verdict)) *Engine {
	e := &Engine{
		reader: intake.NewReader(),
		judge:  verdict.NewJudge(settings.Judging),
		take:   take,
	}
	e.store = pairing.NewStore(settings.Pairing, e.finish)
	return e
}

// Consume takes the spans that arrived at now. It keeps nothing of them.
func (e *Engine) Consume(now time.Time, traces ptrace.Traces) {
	e.now = now
	for _, resource := range traces.ResourceSpans().All() {
		e.resource(resource)
	}
}

func (e *Engine) resource(resource ptrace.ResourceSpans) {
	var process *collective.Process // known once one of its spans can be paired
	for _, scope := range resource.ScopeSpans().All() {
		for _, span := range scope.Spans().All() {
			if !intake.Concerns(span) || !e.read(span) {
				continue
			}
			if process == nil {
				process = e.reader.Process(resource.Resource())
			}
			e.report.Rank.Process = process
			e.add()
		}
	}
}

// read reads a span into the report, without its process, and reports whether it
// can be paired.
func (e *Engine) read(span ptrace.Span) bool {
	switch e.reader.Span(nil, span, &e.report) {
	case intake.Pairable:
		return true
	case intake.Unpairable:
		e.tally.Unpairable++
	case intake.Foreign:
	}
	return false
}

// add adds the report to its collective.
func (e *Engine) add() {
	outcome := e.store.Add(e.now, &e.report)
	e.tally.Spans[outcome]++
	if outcome.Sound() {
		e.judge.Note(&e.report)
	}
}

// Expire ends the collectives whose time is over at now.
func (e *Engine) Expire(now time.Time) {
	e.now = now
	e.store.Expire(now)
}

// Close ends all collectives at now.
func (e *Engine) Close(now time.Time) {
	e.now = now
	e.store.Close()
}

func (e *Engine) finish(c *collective.Collective, reason pairing.Reason) {
	v := e.judge.Judge(c, reason, e.now)
	e.tally.Results[v.Result]++
	e.tally.Verdicts[v.Kind]++
	e.take(v)
}
