package collectiveskewconnector

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/metadata"
	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/pairing"
	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/verdict"
)

// tally is what was counted since it was last reported.
type tally struct {
	spans      [pairing.Outcomes]int64
	unpairable int64
	results    [verdict.Results]int64
	verdicts   [verdict.Kinds]int64
	dropped    int64 // verdicts
}

// report adds t to the component's own metrics.
func (t *tally) report(ctx context.Context, telemetry *metadata.TelemetryBuilder) {
	for outcome, n := range t.spans {
		count(ctx, telemetry.CollectiveskewSpans, n, "result", pairing.Outcome(outcome).String())
	}
	count(ctx, telemetry.CollectiveskewSpans, t.unpairable, "result", "unpairable")
	for result, n := range t.results {
		count(ctx, telemetry.CollectiveskewCollectives, n, "result", verdict.Result(result).String())
	}
	for kind, n := range t.verdicts {
		count(ctx, telemetry.CollectiveskewVerdicts, n, "verdict", verdict.Kind(kind).String())
	}
	if t.dropped > 0 {
		telemetry.CollectiveskewVerdictsDropped.Add(ctx, t.dropped)
	}
}

func count(ctx context.Context, counter metric.Int64Counter, n int64, key, value string) {
	if n > 0 {
		counter.Add(ctx, n, metric.WithAttributeSet(attribute.NewSet(attribute.String(key, value))))
	}
}
