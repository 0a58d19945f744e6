package gpucausereceiver

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/gpucause/gpucause/internal/causality"
	"github.com/gpucause/gpucause/internal/ktime"
	"github.com/gpucause/gpucause/internal/timeline"
	"github.com/gpucause/gpucause/receiver/gpucausereceiver/internal/spans"
)

var modes = map[StallMode]causality.Mode{
	StallModeStalls: causality.ModeStalls,
	StallModeAll:    causality.ModeAll,
}

// newJudge returns the judge of all cycles, or nil where none is to be judged.
func newJudge(config StallsConfig, explain causality.Settings) *causality.Judge {
	if config.Mode == StallModeOff {
		return nil
	}
	return causality.NewJudge(config.judgeSettings(explain))
}

// judgeSettings translates s for [causality.NewJudge]. s must be valid.
func (s StallsConfig) judgeSettings(explain causality.Settings) causality.JudgeSettings {
	settings := causality.JudgeSettings{
		MinDuration: s.MinDuration,
		Ratio:       s.Ratio,
		Window:      int(s.Window),
		WarmUp:      int(s.WarmUp),
		Idle:        s.IdleInterval,
		Baseline:    s.BaselineInterval,
		Mode:        modes[s.Mode],
		Explain:     explain,
	}
	for _, interval := range []*time.Duration{&settings.Idle, &settings.Baseline} {
		if *interval == 0 {
			*interval = -1
		}
	}
	return settings
}

// tellCycle judges a cycle, and adds it to the batch if it is worth a trace and
// its process is not over budget.
func (p *pipeline) tellCycle(ctx context.Context, batch *spans.Batch, cycle *timeline.Cycle, now ktime.Time) {
	if p.judge == nil {
		return
	}
	verdict := p.judge.Judge(p.timeline, cycle)
	p.countVerdict(ctx, cycle, &verdict)
	if verdict.Kind == causality.KindNone || p.sink.traces == nil {
		return
	}
	if !p.affords(cycle, verdict.Kind, now) {
		p.telemetry.GpucauseStallsSuppressed.Add(ctx, 1)
		return
	}
	p.appendStall(ctx, batch, causality.ExplainCycle(p.timeline, cycle, verdict, p.explain))
}

// affords reports whether the process of a cycle has budget for a trace. What is
// only there to compare with leaves the rest for stalls.
func (p *pipeline) affords(cycle *timeline.Cycle, kind causality.Kind, now ktime.Time) bool {
	switch kind {
	case causality.KindSample, causality.KindBaseline, causality.KindIdle:
		return p.budgets.hasSpare(cycle.Process.PID, now)
	default:
		return p.budgets.allows(cycle.Process.PID, now)
	}
}

// countVerdict counts a judged cycle, traced or not.
func (p *pipeline) countVerdict(ctx context.Context, cycle *timeline.Cycle, verdict *causality.Verdict) {
	p.telemetry.GpucauseCyclesJudged.Add(ctx, 1)
	if verdict.Kind != causality.KindStall {
		return
	}
	cause := verdict.Cause.String()
	p.telemetry.GpucauseStallsJudged.Add(ctx, 1, metric.WithAttributes(attribute.String("cause", cause)))
	p.aggregator.AddStall(cycle.Process, cycle.Record.Task, cause)
}

func (p *pipeline) appendStall(ctx context.Context, batch *spans.Batch, stall *causality.Stall) {
	before := batch.SpanCount()
	calls := batch.AppendStall(stall)
	p.budgets.spend(stall.Process.PID, batch.SpanCount()-before)
	if stall.Kind == causality.KindBaseline {
		p.telemetry.GpucauseBaselinesEmitted.Add(ctx, 1)
	}
	if stall.Incomplete || stall.Omitted > 0 {
		p.telemetry.GpucauseCyclesIncomplete.Add(ctx, 1)
	}
	p.countTrace(ctx, stall.Truncated, stall.Untraced)
	p.exemplify(calls)
}
