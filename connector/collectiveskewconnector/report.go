package collectiveskewconnector

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/engine"
	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/metadata"
	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/pairing"
	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/verdict"
)

// report adds t to the component's own metrics.
func report(ctx context.Context, telemetry *metadata.TelemetryBuilder, t *engine.Tally) {
	for outcome, n := range t.Spans {
		count(ctx, telemetry.CollectiveskewSpans, n, attribute.String("result", pairing.Outcome(outcome).String()))
	}
	count(ctx, telemetry.CollectiveskewSpans, t.Unpairable, attribute.String("result", "unpairable"))
	for result, n := range t.Results {
		count(ctx, telemetry.CollectiveskewCollectives, n, attribute.String("result", verdict.Result(result).String()))
	}
	for kind, n := range t.Verdicts {
		count(ctx, telemetry.CollectiveskewVerdicts, n, attribute.String("verdict", verdict.Kind(kind).String()))
	}
}

func count(ctx context.Context, counter metric.Int64Counter, n int64, of attribute.KeyValue) {
	if n > 0 {
		counter.Add(ctx, n, metric.WithAttributeSet(attribute.NewSet(of)))
	}
}

// observe makes the asynchronous instruments read what the engine holds.
func (c *skewConnector) observe() error {
	b := c.telemetry
	return errors.Join(
		b.RegisterCollectiveskewCollectivesHeldCallback(c.read(func(t *engine.Totals) uint64 { return uint64(t.Collectives) })),
		b.RegisterCollectiveskewSpansHeldCallback(c.read(func(t *engine.Totals) uint64 { return uint64(t.Spans) })),
		b.RegisterCollectiveskewForgottenCallback(c.read(func(t *engine.Totals) uint64 { return t.Forgotten })),
		b.RegisterCollectiveskewAttributesDroppedCallback(c.read(func(t *engine.Totals) uint64 { return t.AttributesDropped })),
		b.RegisterCollectiveskewSeriesOverflowCallback(c.overflow),
		b.RegisterCollectiveskewClockContradictionsCallback(c.contradictions),
	)
}

func (c *skewConnector) totals() engine.Totals {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.engine.Totals()
}

func (c *skewConnector) read(value func(*engine.Totals) uint64) metric.Int64Callback {
	return func(_ context.Context, observer metric.Int64Observer) error {
		totals := c.totals()
		observer.Observe(int64(value(&totals)))
		return nil
	}
}

func (c *skewConnector) overflow(_ context.Context, observer metric.Int64Observer) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	observer.Observe(int64(c.output.overflowed()))
	return nil
}

func (c *skewConnector) contradictions(_ context.Context, observer metric.Int64Observer) error {
	totals := c.totals()
	observer.Observe(int64(totals.ClocksSet), metric.WithAttributes(attribute.String("kind", "clock_set")))
	observer.Observe(int64(totals.CollectivesRejected), metric.WithAttributes(attribute.String("kind", "collective")))
	return nil
}
