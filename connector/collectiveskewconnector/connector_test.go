package collectiveskewconnector

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/connector/connectortest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/metadata"
	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/metadatatest"
	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/scenario"
)

// bench is a connector with its telemetry, in a bubble of time.
type bench struct {
	t         *testing.T
	config    *Config
	telemetry *componenttest.Telemetry
	connector connector.Traces
	numbers   int // given out
}

// next returns a sequence number that was not used yet.
func (b *bench) next() string {
	b.numbers++
	return strconv.Itoa(100 + b.numbers)
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, config: testConfig(), telemetry: componenttest.NewTelemetry()}
	t.Cleanup(func() { _ = b.telemetry.Shutdown(context.Background()) })
	return b
}

func (b *bench) settings() connector.Settings {
	settings := connectortest.NewNopSettings(metadata.Type)
	settings.TelemetrySettings = b.telemetry.NewTelemetrySettings()
	settings.Resource.Attributes().PutStr("service.instance.id", "gateway-1")
	settings.Resource.Attributes().PutStr("other", "of no use")
	return settings
}

// toTraces starts a connector that hands spans to next.
func (b *bench) toTraces(next func(context.Context, ptrace.Traces) error) {
	sink, err := consumer.NewTraces(next)
	require.NoError(b.t, err)
	b.connector, err = NewFactory().CreateTracesToTraces(b.t.Context(), b.settings(), b.config, sink)
	require.NoError(b.t, err)
	require.NoError(b.t, b.connector.Start(b.t.Context(), componenttest.NewNopHost()))
}

func (b *bench) shutdown() {
	require.NoError(b.t, b.connector.Shutdown(b.t.Context()))
	require.NoError(b.t, b.connector.Shutdown(b.t.Context()), "twice")
}

// consume gives the connector the spans of a story.
func (b *bench) consume(story string) {
	parsed, err := scenario.Parse(story)
	require.NoError(b.t, err)
	for _, step := range parsed.Steps {
		require.NoError(b.t, b.connector.ConsumeTraces(b.t.Context(), step.Traces))
	}
}

// pass lets the bubble's time pass.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

const (
	lateStory    = "host a\ncollective #1 AllReduce size=2\nrank 0 a 0ms wait=1ms..10ms\nrank 1 a 9ms\n"
	pendingStory = "host a\ncollective #2 AllReduce size=2\nrank 0 a 0ms pending\n"
)

// collector keeps the spans that it is given.
type collector struct {
	mu     sync.Mutex
	traces []ptrace.Traces
}

func (c *collector) consume(_ context.Context, traces ptrace.Traces) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.traces = append(c.traces, traces)
	return nil
}

func (c *collector) spans() []ptrace.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	var spans []ptrace.Span
	for _, traces := range c.traces {
		for _, resource := range traces.ResourceSpans().All() {
			for _, scope := range resource.ScopeSpans().All() {
				for _, span := range scope.Spans().All() {
					spans = append(spans, span)
				}
			}
		}
	}
	return spans
}

func verdictOf(span ptrace.Span) string {
	value, _ := span.Attributes().Get("nccl.verdict")
	return value.Str()
}

func TestACompleteCollectiveIsJudgedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, next := newBench(t), &collector{}
		b.toTraces(next.consume)
		b.consume(lateStory)
		synctest.Wait()
		require.Len(t, next.spans(), 1)
		assert.Equal(t, "straggler", verdictOf(next.spans()[0]))
		b.shutdown()
	})
}

func TestAnIncompleteOneIsJudgedWhenItsTimeIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, next := newBench(t), &collector{}
		b.toTraces(next.consume)
		b.consume(pendingStory)
		pass(29 * time.Second)
		assert.Empty(t, next.spans())
		pass(3 * time.Second)
		require.Len(t, next.spans(), 1)
		assert.Equal(t, "missing_ranks", verdictOf(next.spans()[0]))
		b.shutdown()
	})
}

func TestShutdownJudgesWhatIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, next := newBench(t), &collector{}
		b.toTraces(next.consume)
		b.consume(lateStory + pendingStory)
		b.shutdown()
		require.Len(t, next.spans(), 1)
		b.consume(lateStory)
		assert.Len(t, next.spans(), 1, "nothing after the shutdown")
		metadatatest.AssertEqualCollectiveskewCollectives(t, b.telemetry, []metricdata.DataPoint[int64]{
			point(1, "result", "complete"), point(1, "result", "stopped"),
		}, ignored()...)
	})
}

func TestShutdownWithoutStart(t *testing.T) {
	b, next := newBench(t), &collector{}
	sink, err := consumer.NewTraces(next.consume)
	require.NoError(t, err)
	c, err := NewFactory().CreateTracesToTraces(t.Context(), b.settings(), b.config, sink)
	require.NoError(t, err)
	require.NoError(t, c.Shutdown(t.Context()))
	require.NoError(t, c.Start(t.Context(), componenttest.NewNopHost()), "starts nothing")
}

func TestASlowConsumerHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		release := make(chan struct{})
		var handedOver []int
		b.toTraces(func(_ context.Context, traces ptrace.Traces) error {
			<-release
			handedOver = append(handedOver, traces.SpanCount())
			return nil
		})
		story := "host a\n"
		for range maxPending + 10 {
			story += "collective #" + b.next() + " AllReduce size=2\nrank 0 a 0ms wait=1ms..10ms\nrank 1 a 9ms\n"
		}
		b.consume(lateStory)
		synctest.Wait() // the goroutine is in the consumer
		b.consume(story)
		close(release)
		synctest.Wait()
		b.shutdown()
		assert.Equal(t, []int{1, maxPending}, handedOver)
		metadatatest.AssertEqualCollectiveskewVerdictsDropped(t, b.telemetry, []metricdata.DataPoint[int64]{{Value: 10}}, ignored()...)
	})
}

func TestWhatTheConsumerRefusesIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		var calls int
		b.toTraces(func(ctx context.Context, _ ptrace.Traces) error {
			calls++
			_, limited := ctx.Deadline()
			assert.True(t, limited)
			return errors.New("no")
		})
		b.consume(lateStory)
		pass(time.Minute)
		b.shutdown()
		assert.Equal(t, 1, calls, "not offered again")
		metadatatest.AssertEqualCollectiveskewRefused(t, b.telemetry, []metricdata.DataPoint[int64]{{Value: 1}}, ignored()...)
	})
}

func TestShutdownEndsAHandOverInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.toTraces(func(ctx context.Context, _ ptrace.Traces) error {
			<-ctx.Done()
			return ctx.Err()
		})
		b.consume(lateStory)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, b.connector.Shutdown(ctx), context.DeadlineExceeded)
		synctest.Wait()
	})
}

func TestMetricsAreFlushed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		var sink consumertest.MetricsSink
		var err error
		b.connector, err = NewFactory().CreateTracesToMetrics(t.Context(), b.settings(), b.config, &sink)
		require.NoError(t, err)
		require.NoError(t, b.connector.Start(t.Context(), componenttest.NewNopHost()))
		b.consume(lateStory)
		pass(14 * time.Second)
		assert.Empty(t, sink.AllMetrics())
		pass(2 * time.Second)
		require.Len(t, sink.AllMetrics(), 1)
		pass(15 * time.Second)
		require.Len(t, sink.AllMetrics(), 2, "cumulative")
		b.shutdown()
		require.Len(t, sink.AllMetrics(), 3, "once more at the end")
		metrics := sink.AllMetrics()[0]
		assert.Equal(t, 3, metrics.MetricCount())
		assert.Equal(t, map[string]any{"service.instance.id": "gateway-1"},
			metrics.ResourceMetrics().At(0).Resource().Attributes().AsRaw(), "two gateways do not write to the same series")
	})
}

func TestOwnMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, next := newBench(t), &collector{}
		b.config.MaxRanks, b.config.MaxSpans = 8, 8
		b.toTraces(next.consume)
		b.consume(lateStory + "rank 1 a 9ms\n" + pendingStory + "rank 0 a 0ms\n")
		b.consume("host a\ncollective #3 AllReduce size=9\nrank 0 a 0ms\ncollective #0 AllReduce size=2\nrank 0 a 0ms\n")
		b.consume("host a\nhost b\ncollective #4 AllReduce size=3\nrank 0 a 0ms done=1ms\nrank 1 a 5ms\nrank 2 b 0ms\n")
		metadatatest.AssertEqualCollectiveskewSpans(t, b.telemetry, []metricdata.DataPoint[int64]{
			point(6, "result", "paired"), point(1, "result", "late"), point(1, "result", "duplicate"),
			point(1, "result", "oversized"), point(1, "result", "unpairable"),
		}, ignored()...)
		metadatatest.AssertEqualCollectiveskewVerdicts(t, b.telemetry, []metricdata.DataPoint[int64]{
			point(1, "verdict", "straggler"), point(1, "verdict", "uncertain"),
		}, ignored()...)
		metadatatest.AssertEqualCollectiveskewCollectivesHeld(t, b.telemetry, []metricdata.DataPoint[int64]{{Value: 1}}, ignored()...)
		metadatatest.AssertEqualCollectiveskewSpansHeld(t, b.telemetry, []metricdata.DataPoint[int64]{{Value: 1}}, ignored()...)
		metadatatest.AssertEqualCollectiveskewClockContradictions(t, b.telemetry, []metricdata.DataPoint[int64]{
			point(0, "kind", "clock_set"), point(1, "kind", "collective"),
		}, ignored()...)
		b.shutdown()
	})
}

func TestOwnMetricOfOverflow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.config.MaxSeries = 1
		var err error
		b.connector, err = NewFactory().CreateTracesToMetrics(t.Context(), b.settings(), b.config, consumertest.NewNop())
		require.NoError(t, err)
		require.NoError(t, b.connector.Start(t.Context(), componenttest.NewNopHost()))
		b.consume(lateStory)
		metadatatest.AssertEqualCollectiveskewSeriesOverflow(t, b.telemetry, []metricdata.DataPoint[int64]{{Value: 2}}, ignored()...)
		b.shutdown()
	})
}

func TestSpansOfOthersAreIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, next := newBench(t), &collector{}
		b.toTraces(next.consume)
		traces := ptrace.NewTraces()
		traces.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty().SetName("llm_request")
		require.NoError(t, b.connector.ConsumeTraces(t.Context(), traces))
		b.shutdown()
		assert.Empty(t, next.spans())
		_, err := b.telemetry.GetMetric("otelcol_collectiveskew_spans")
		require.Error(t, err, "nothing was counted")
	})
}

func TestWhatIsConsumedIsNotChanged(t *testing.T) {
	b := newBench(t)
	b.toTraces((&collector{}).consume)
	assert.False(t, b.connector.Capabilities().MutatesData)
	story, err := scenario.Parse(lateStory)
	require.NoError(t, err)
	for _, step := range story.Steps {
		step.Traces.MarkReadOnly() // a change panics
		require.NoError(t, b.connector.ConsumeTraces(t.Context(), step.Traces))
	}
	b.shutdown()
}

// TestManyAtATime lets many agents deliver at the same time.
func TestManyAtATime(t *testing.T) {
	b, next := newBench(t), &collector{}
	b.toTraces(next.consume)
	script := "host a\n"
	const collectives, ranks = 200, 8
	for range collectives {
		script += "collective #" + b.next() + " AllReduce size=8\nrank 0-6 a 0ms wait=1ms..10ms\nrank 7 a 9ms\n"
	}
	story, err := scenario.Parse(script)
	require.NoError(t, err)
	var agents sync.WaitGroup
	for rank := range ranks {
		agents.Go(func() {
			for i := rank; i < len(story.Steps); i += ranks {
				assert.NoError(t, b.connector.ConsumeTraces(t.Context(), story.Steps[i].Traces))
			}
		})
	}
	agents.Wait()
	b.shutdown()
	assert.Len(t, next.spans(), collectives)
}

func TestWrongConfigurationIsAnError(t *testing.T) {
	settings := connectortest.NewNopSettings(metadata.Type)
	var wrong component.Config = &struct{}{}
	_, err := NewFactory().CreateTracesToTraces(t.Context(), settings, wrong, consumertest.NewNop())
	require.EqualError(t, err, "creating collectiveskew connector: configuration is a *struct {}")
	_, err = NewFactory().CreateTracesToMetrics(t.Context(), settings, wrong, consumertest.NewNop())
	require.Error(t, err)
}

// ignored leaves time out of comparisons of own metrics.
func ignored() []metricdatatest.Option {
	return []metricdatatest.Option{metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars()}
}

func point(n int64, key, value string) metricdata.DataPoint[int64] {
	return metricdata.DataPoint[int64]{Value: n, Attributes: attribute.NewSet(attribute.String(key, value))}
}
