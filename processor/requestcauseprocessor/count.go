package requestcauseprocessor

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/core"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/group"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/scan"
)

// tally adds up what became of the requests of one payload.
type tally struct {
	joined                                          map[group.Evidence]int64
	ambiguous, unresolved, without, over, truncated int64
	children, notShown, overBudget                  int64
	links, notLinked                                int64
}

func newTally() *tally { return &tally{joined: make(map[group.Evidence]int64)} }

func (t *tally) add(d *group.Decision, o core.Outcome) {
	switch {
	case d.Outcome == group.Ambiguous:
		t.ambiguous++
	case d.Outcome == group.Unresolved:
		t.unresolved++
	case o.Joined:
		t.joined[d.Evidence]++
	case o.Stalls == 0:
		t.without++
	default:
		t.over++
	}
	t.children += int64(o.Children)
	t.notShown += int64(o.NotShown)
	t.overBudget += int64(o.OverBudget)
	t.links += int64(o.Links)
	t.notLinked += int64(o.NotLinked)
	if o.Truncated {
		t.truncated++
	}
}

// joined counts what became of a payload's requests.
func (r *report) joined(ctx context.Context, t *tally, took time.Duration) {
	r.RequestcauseJoinDuration.Record(ctx, took.Seconds())
	for evidence, n := range t.joined {
		add(ctx, r.RequestcauseRequestsJoined, n, "evidence", string(evidence))
	}
	some(ctx, r.RequestcauseRequestsAmbiguous, t.ambiguous)
	some(ctx, r.RequestcauseRequestsUnresolved, t.unresolved)
	some(ctx, r.RequestcauseRequestsWithoutStalls, t.without)
	some(ctx, r.RequestcauseRequestsOverBudget, t.over)
	some(ctx, r.RequestcauseRequestsTruncated, t.truncated)
	some(ctx, r.RequestcauseChildrenAppended, t.children)
	add(ctx, r.RequestcauseChildrenOmitted, t.notShown, "reason", "top")
	add(ctx, r.RequestcauseChildrenOmitted, t.overBudget, "reason", "budget")
	some(ctx, r.RequestcauseLinksAppended, t.links)
	some(ctx, r.RequestcauseLinksOmitted, t.notLinked)
}

// scanned counts what was found in a payload.
func (r *report) scanned(ctx context.Context, found *scan.Found) {
	rules := make(map[string]int64)
	for i := range found.Requests {
		rules[found.Requests[i].Rule]++
	}
	for rule, n := range rules {
		add(ctx, r.RequestcauseRequestsSeen, n, "rule", rule)
	}
	add(ctx, r.RequestcauseRequestsLeftOut, int64(found.Invalid), "reason", "invalid")
	add(ctx, r.RequestcauseRequestsLeftOut, int64(found.Nested), "reason", "nested")
	add(ctx, r.RequestcauseRequestsLeftOut, int64(found.Joined), "reason", "repeated")
	some(ctx, r.RequestcauseStallsMalformed, int64(found.Malformed))
}

func (r *report) held(ctx context.Context)   { r.RequestcausePayloadsHeld.Add(ctx, 1) }
func (r *report) unheld(ctx context.Context) { r.RequestcausePayloadsUnheld.Add(ctx, 1) }
func (r *report) early(ctx context.Context)  { r.RequestcausePayloadsEarly.Add(ctx, 1) }

// unanswered counts a payload that goes on before its sender was found out.
func (r *report) unanswered(ctx context.Context) { r.RequestcausePayloadsUnanswered.Add(ctx, 1) }

func (r *report) stamped(ctx context.Context)  { r.RequestcauseResourcesStamped.Add(ctx, 1) }
func (r *report) panicked(ctx context.Context) { r.RequestcausePanics.Add(ctx, 1) }

func (r *report) refused(ctx context.Context, spans int) {
	r.RequestcauseSpansRefused.Add(ctx, int64(spans))
}

// unresolved counts what an instance in mode resolve could not tell of one resource.
func (r *report) unresolved(ctx context.Context, d *group.Decision, requests int64) {
	switch d.Outcome {
	case group.Ambiguous:
		some(ctx, r.RequestcauseRequestsAmbiguous, requests)
	case group.Unresolved:
		some(ctx, r.RequestcauseRequestsUnresolved, requests)
	}
}

func some(ctx context.Context, counter metric.Int64Counter, n int64) {
	if n > 0 {
		counter.Add(ctx, n)
	}
}

func add(ctx context.Context, counter metric.Int64Counter, n int64, key, value string) {
	if n > 0 {
		counter.Add(ctx, n, metric.WithAttributes(attribute.String(key, value)))
	}
}
