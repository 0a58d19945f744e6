package gpucausereceiver

import (
	"context"

	"github.com/gpucause/gpucause/internal/causality"
	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
	"github.com/gpucause/gpucause/internal/timeline"
	"github.com/gpucause/gpucause/receiver/gpucausereceiver/internal/spans"
)

// tell judges an outermost call outside of dispatch cycles, and adds its chain to
// the batch if it is worth a trace and its process is not over budget.
func (p *pipeline) tell(ctx context.Context, batch *spans.Batch, tree *timeline.Tree, now ktime.Time) {
	if p.sink.traces == nil {
		return
	}
	kind := p.calls.Judge(tree)
	if kind == causality.KindNone {
		p.telemetry.GpucauseCallsUnremarkable.Add(ctx, 1)
		return
	}
	if !p.affordsCall(tree, now) {
		p.telemetry.GpucauseStallsSuppressed.Add(ctx, 1)
		return
	}
	chain := causality.Explain(p.timeline, tree, p.explain)
	if kind != causality.KindStall && p.config.Stalls.Mode != StallModeAll {
		chain.Attribution = causality.Attribution{} // as far as is known there is nothing to explain
	}
	before := batch.SpanCount()
	calls := batch.Append(chain)
	p.budgets.spend(tree.Process.PID, batch.SpanCount()-before)
	p.countTrace(ctx, chain.Truncated, chain.Untraced)
	p.exemplify(calls)
}

// affordsCall reports whether the process of a call has budget for its trace. Only
// failing calls take what is left for the stalls of dispatchers.
func (p *pipeline) affordsCall(tree *timeline.Tree, now ktime.Time) bool {
	if tree.Root.Call.Notable&(event.NotableFailed|event.NotableAbandoned) != 0 {
		return p.budgets.allows(tree.Process.PID, now)
	}
	return p.budgets.hasSpare(tree.Process.PID, now)
}
