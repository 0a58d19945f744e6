package collectiveskewconnector

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// observe makes the asynchronous instruments read what the engine holds.
func (c *skewConnector) observe() error {
	b := c.telemetry
	return errors.Join(
		b.RegisterCollectiveskewCollectivesHeldCallback(c.read(func() uint64 { return uint64(c.engine.store.Collectives()) })),
		b.RegisterCollectiveskewSpansHeldCallback(c.read(func() uint64 { return uint64(c.engine.store.Reports()) })),
		b.RegisterCollectiveskewForgottenCallback(c.read(func() uint64 { return c.engine.judge.Forgotten() })),
		b.RegisterCollectiveskewAttributesDroppedCallback(c.read(func() uint64 { return c.engine.reader.DroppedAttributes() })),
		b.RegisterCollectiveskewSeriesOverflowCallback(c.read(func() uint64 { return c.output.overflowed() })),
		b.RegisterCollectiveskewClockContradictionsCallback(c.contradictions),
	)
}

func (c *skewConnector) read(value func() uint64) metric.Int64Callback {
	return func(_ context.Context, observer metric.Int64Observer) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		observer.Observe(int64(value()))
		return nil
	}
}

func (c *skewConnector) contradictions(_ context.Context, observer metric.Int64Observer) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	clocks := c.engine.judge.Clocks()
	observer.Observe(int64(clocks.Resets()), metric.WithAttributes(attribute.String("kind", "clock_set")))
	observer.Observe(int64(clocks.Rejected()), metric.WithAttributes(attribute.String("kind", "collective")))
	return nil
}
