package collectiveskewconnector

import (
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/collective"
	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/intake"
	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/pairing"
	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/verdict"
)

// engine is the way from spans to verdicts. It is for one goroutine at a time.
type engine struct {
	reader *intake.Reader
	store  *pairing.Store
	judge  *verdict.Judge
	take   func(*verdict.Verdict)

	now    time.Time         // of what is being done; never goes back
	report collective.Report // scratch
	tally  tally
}

// newEngine returns an engine that hands its verdicts to take.
func newEngine(config *Config, take func(*verdict.Verdict)) *engine {
	e := &engine{
		reader: intake.NewReader(),
		judge:  verdict.NewJudge(config.judging()),
		take:   take,
	}
	e.store = pairing.NewStore(config.pairing(), e.finish)
	return e
}

// consume takes the spans that arrived at now. It keeps nothing of them.
func (e *engine) consume(now time.Time, traces ptrace.Traces) {
	e.now = now
	for _, resource := range traces.ResourceSpans().All() {
		var process *collective.Process
		for _, scope := range resource.ScopeSpans().All() {
			for _, span := range scope.Spans().All() {
				if !intake.Concerns(span) {
					continue
				}
				if process == nil {
					process = e.reader.Process(resource.Resource())
				}
				e.add(process, span)
			}
		}
	}
}

func (e *engine) add(process *collective.Process, span ptrace.Span) {
	switch e.reader.Span(process, span, &e.report) {
	case intake.Foreign:
	case intake.Unpairable:
		e.tally.unpairable++
	case intake.Pairable:
		e.judge.Note(&e.report)
		e.tally.spans[e.store.Add(e.now, &e.report)]++
	}
}

// expire ends the collectives whose time is over.
func (e *engine) expire(now time.Time) {
	e.now = now
	e.store.Expire(now)
}

// close ends all collectives.
func (e *engine) close(now time.Time) {
	e.now = now
	e.store.Close()
}

func (e *engine) finish(c *collective.Collective, reason pairing.Reason) {
	v := e.judge.Judge(c, reason, e.now)
	e.tally.results[v.Result]++
	e.tally.verdicts[v.Kind]++
	e.take(v)
}
