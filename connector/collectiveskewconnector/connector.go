package collectiveskewconnector

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/engine"
	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/metadata"
	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/verdict"
)

// skewConnector pairs and judges the collectives whose spans it is given, and hands
// what its output makes of the verdicts to the next consumer.
//
// Whoever calls ConsumeTraces pairs and judges. One goroutine ends what has
// expired and hands over, so that a slow consumer holds up nobody else.
type skewConnector struct {
	config    *Config
	telemetry *metadata.TelemetryBuilder

	mu      sync.Mutex // guards the following
	engine  *engine.Engine
	output  output
	urgent  bool  // the output is to be collected at once
	dropped int64 // verdicts that are not reported yet
	closed  bool  // nothing is consumed any more

	loop loop
}

func newConnector(config *Config, set connector.Settings, out output) (*skewConnector, error) {
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, fmt.Errorf("creating collectiveskew connector: %w", err)
	}
	c := &skewConnector{config: config, telemetry: telemetry, output: out, loop: newLoop()}
	c.engine = engine.New(config.engine(), c.take)
	if err := c.observe(); err != nil {
		telemetry.Shutdown()
		return nil, fmt.Errorf("creating collectiveskew connector: %w", err)
	}
	return c, nil
}

// Capabilities implements [connector.Traces].
func (*skewConnector) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

// Start implements [component.Component].
func (c *skewConnector) Start(context.Context, component.Host) error {
	c.loop.start(c)
	return nil
}

// Shutdown implements [component.Component]. It judges what is there as far as that
// goes, and hands it over until ctx ends.
func (c *skewConnector) Shutdown(ctx context.Context) error {
	return c.loop.stop(ctx, c)
}

// ConsumeTraces implements [consumer.Traces]. Spans that are no rank's part in a
// collective are ignored. It always succeeds: what cannot be used is counted.
func (c *skewConnector) ConsumeTraces(ctx context.Context, traces ptrace.Traces) error {
	c.do(ctx, func(now time.Time) { c.engine.Consume(now, traces) })
	return nil
}

func (c *skewConnector) expire(ctx context.Context) { c.do(ctx, c.engine.Expire) }

// do lets the engine work, reports what it counted, and wakes the goroutine that
// hands over where that is urgent.
func (c *skewConnector) do(ctx context.Context, work func(now time.Time)) {
	d := c.work(work)
	report(ctx, c.telemetry, &d.tally)
	if d.dropped > 0 {
		c.telemetry.CollectiveskewVerdictsDropped.Add(ctx, d.dropped)
	}
	if d.urgent {
		c.loop.hurry()
	}
}

// done is what came of work.
type done struct {
	tally   engine.Tally
	dropped int64
	urgent  bool
}

func (c *skewConnector) work(work func(now time.Time)) done {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return done{}
	}
	work(time.Now())
	d := done{tally: c.engine.Tally(), dropped: c.dropped, urgent: c.urgent}
	c.dropped, c.urgent = 0, false
	return d
}

// take is called by the engine.
func (c *skewConnector) take(v *verdict.Verdict) {
	urgent, ok := c.output.take(v)
	c.urgent = c.urgent || urgent
	if !ok {
		c.dropped++
	}
}

// finish judges all that is left, for the last time.
func (c *skewConnector) finish(ctx context.Context) {
	c.do(ctx, c.engine.Close)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
}

// consumeTimeout bounds one hand-over to the next consumer.
const consumeTimeout = 5 * time.Second

// handOver gives the next consumer what there is. What it refuses is counted and
// not offered again.
func (c *skewConnector) handOver(ctx context.Context) {
	p := c.collect()
	if p.items == 0 {
		return
	}
	limited, cancel := context.WithTimeout(ctx, consumeTimeout)
	defer cancel()
	if err := p.send(limited); err != nil {
		c.telemetry.CollectiveskewRefused.Add(ctx, p.items)
	}
}

func (c *skewConnector) collect() parcel {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.output.collect(time.Now())
}
