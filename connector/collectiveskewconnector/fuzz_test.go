package collectiveskewconnector

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/engine"
	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/measurement"
	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/scenario"
	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/spans"
	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/verdict"
)

// choices are read from fuzzed bytes; when they are used up, the rest is 0.
type choices []byte

func (c *choices) below(n int) int {
	if len(*c) == 0 {
		return 0
	}
	chosen := int((*c)[0]) % n
	*c = (*c)[1:]
	return chosen
}

const fuzzEpoch = 1_767_225_600_000_000_000

// values are what an attribute may be by mistake or malice.
var values = []any{
	0, 1, 2, 3, -1, 1 << 16, 1 << 31, 1 << 40, math.MaxInt64, math.MinInt64,
	fuzzEpoch, fuzzEpoch + 1, fuzzEpoch + 50_000_000, fuzzEpoch - 1_000_000_000, fuzzEpoch + int64(25*time.Hour), int64(1<<62) - 1, int64(1 << 62),
	0.0, 0.001, -1.0, 1e300, math.Inf(1), math.Inf(-1), math.NaN(), 86400.0,
	"", "AllReduce", "Broadcast", "Reduce", "Send", "Recv", "lower_bound", "c", "3", "io", strings.Repeat("x", 5000), "\xff\xfe",
	true, false, []any{1, "a"}, map[string]any{"k": 1}, []byte{1, 2},
}

// keys are the attributes that are changed.
var keys = []string{
	"nccl.operation", "nccl.communicator", "nccl.communicator.size", "nccl.rank", "nccl.sequence", "nccl.root", "nccl.peer", "nccl.count",
	"nccl.datatype", "nccl.reduction", "nccl.sampled", "nccl.enqueue.time", "nccl.enqueue.quality", "nccl.enqueue.not_before", "nccl.completion.time", "nccl.completed",
	"nccl.wait", "nccl.wait.start_time", "nccl.arrival.time.io", "nccl.arrival.time.running", "nccl.arrival.cause", "nccl.arrival.summary",
	"nccl.arrival.explained", "nccl.verdict", "error.type",
}

// span is a rank's span with up to three mistakes.
func (c *choices) span(traces ptrace.Traces) {
	resource := traces.ResourceSpans().AppendEmpty()
	host := []any{"a", "b", "", 5}[c.below(4)]
	_ = resource.Resource().Attributes().FromRaw(map[string]any{"host.name": host, "host.id": host, "process.pid": values[c.below(5)]})
	span := resource.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	span.SetName([]string{"ncclAllReduce", "collective"}[c.below(20)/19])
	span.SetTraceID(pcommon.TraceID{byte(c.below(4))})
	span.SetSpanID(pcommon.SpanID{byte(c.below(200))})
	size := []int64{1, 2, 3}[c.below(3)]
	enqueue := int64(fuzzEpoch) + int64(c.below(256))*1_000_000
	_ = span.Attributes().FromRaw(map[string]any{
		"nccl.operation": "AllReduce", "nccl.communicator": "c", "nccl.communicator.size": size, "nccl.rank": int64(c.below(3)) % size,
		"nccl.sequence": 1, "nccl.enqueue.time": enqueue, "nccl.enqueue.not_before": enqueue - 20_000, "nccl.completed": c.below(2) == 0, "nccl.sampled": true,
		"nccl.wait": 0.05, "nccl.wait.start_time": enqueue + 1000, "nccl.arrival.time.io": float64(c.below(50)) / 1000,
	})
	for range c.below(4) {
		_ = span.Attributes().PutEmpty(keys[c.below(len(keys))]).FromRaw(values[c.below(len(values))])
	}
	if c.below(8) == 7 {
		span.Status().SetCode(ptrace.StatusCodeError)
	}
}

// FuzzSpans gives the engine spans with mistakes. Whatever comes, it counts every
// span once, holds no more than it may, and what it says can be told.
func FuzzSpans(f *testing.F) {
	f.Add([]byte{}, uint8(3))
	f.Add([]byte("0123456789abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ"), uint8(8))
	f.Fuzz(func(t *testing.T, raw []byte, n uint8) {
		config := testConfig()
		config.MaxCollectives, config.MaxSpans, config.MaxRanks = 3, 6, 6
		out := newRecorder(t)
		e := engine.New(config.engine(), out.take)
		c, now, ranks := choices(raw), scenario.Epoch, 0
		for range n % 64 {
			traces := ptrace.NewTraces()
			c.span(traces)
			traces.MarkReadOnly()
			now = now.Add(time.Duration(c.below(10)) * time.Second)
			e.Consume(now, traces)
			e.Expire(now)
			totals := e.Totals()
			require.LessOrEqual(t, totals.Collectives, 3)
			require.LessOrEqual(t, totals.Spans, 6)
			ranks += counted(e.Tally())
		}
		e.Close(now)
		require.Zero(t, e.Totals().Spans)
		require.LessOrEqual(t, ranks, int(n%64))
		out.check(now)
	})
}

func counted(tally engine.Tally) int {
	n := tally.Unpairable
	for _, outcome := range tally.Spans {
		n += outcome
	}
	return int(n)
}

// recorder makes spans and metrics of verdicts.
type recorder struct {
	t       *testing.T
	batch   *spans.Batch
	metrics *measurement.Aggregator
}

func newRecorder(t *testing.T) *recorder {
	settings := testConfig().measurement()
	settings.Resource = pcommon.NewMap()
	return &recorder{t: t, batch: spans.NewBatch(""), metrics: measurement.NewAggregator(settings, scenario.Epoch)}
}

func (r *recorder) take(v *verdict.Verdict) {
	require.NotEmpty(r.t, v.Collective.Ranks)
	require.Less(r.t, len(v.Summary), 8192)
	if v.Late != nil {
		require.Positive(r.t, v.Late.Lag)
		require.NotEmpty(r.t, v.Late.Cause)
		require.GreaterOrEqual(r.t, v.Late.Wait, time.Duration(0))
		require.False(r.t, math.IsNaN(v.Late.Explained))
	}
	r.metrics.Add(v)
	if v.Summary != "" {
		r.batch.Append(v)
	}
}

func (r *recorder) check(now time.Time) {
	traces := r.batch.Traces()
	for _, resource := range traces.ResourceSpans().All() {
		for _, span := range resource.ScopeSpans().At(0).Spans().All() {
			require.False(r.t, span.TraceID().IsEmpty())
			require.LessOrEqual(r.t, span.StartTimestamp(), span.EndTimestamp())
		}
	}
	marshaler := ptrace.ProtoMarshaler{}
	_, err := marshaler.MarshalTraces(traces)
	require.NoError(r.t, err)
	r.metrics.Metrics(now)
}
