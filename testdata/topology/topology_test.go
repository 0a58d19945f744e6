package topology

import (
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// TestTwoGatewaysJudgeAsOne sends the collectives of 16 ranks on 4 nodes through
// load-balancing exporters to two gateways.
func TestTwoGatewaysJudgeAsOne(t *testing.T) {
	t.Run("components", func(t *testing.T) {
		t.Parallel()
		judgeAsOne(t, newComponents)
	})
	t.Run("collectors", func(t *testing.T) {
		if os.Getenv(collectorEnv) == "" {
			t.Skipf("the built Collector is not here: %s is not set", collectorEnv)
		}
		t.Parallel()
		judgeAsOne(t, newCollector)
	})
}

func judgeAsOne(t *testing.T, start func(*testing.T) gateway) {
	w := newWorkload(60, 600)
	gateways := []gateway{start(t), start(t)}
	var agents []*agent
	for node := range nodes {
		agents = append(agents, newAgent(t, node, []any{gateways[0].address(), gateways[1].address()}))
	}
	deliver(t, agents, gateways, w.warmUp)
	deliver(t, agents, gateways, w.rest)
	said := len(w.rest) - count(w.rest, onTime)
	require.Eventually(t, func() bool { return len(gateways[0].said())+len(gateways[1].said()) >= said },
		2*patience, 100*time.Millisecond, "missing ranks are told when the time is over")
	for _, a := range agents {
		require.NoError(t, a.exporter.Shutdown(t.Context()))
	}
	for _, g := range gateways {
		g.shutdown(t)
	}

	checkSplit(t, gateways)
	checkCounts(t, gateways, w)
	checkVerdicts(t, gateways, w)
}

// deliver lets all agents send at the same time, and waits until everything has arrived.
func deliver(t *testing.T, agents []*agent, gateways []gateway, acts []act) {
	before := gateways[0].arrived() + gateways[1].arrived()
	var sending sync.WaitGroup
	for _, a := range agents {
		sending.Go(func() { a.send(t, acts) })
	}
	sending.Wait()
	sent := len(acts)*ranks - count(acts, missing)
	require.Eventually(t, func() bool { return gateways[0].arrived()+gateways[1].arrived() == before+sent },
		time.Minute, 10*time.Millisecond)
}

// checkSplit checks that both gateways got their share, and none a part of the other's.
func checkSplit(t *testing.T, gateways []gateway) {
	first, second := gateways[0].collectives(), gateways[1].collectives()
	for id := range first {
		assert.NotContains(t, second, id)
	}
	t.Logf("collectives by gateway: %d and %d", len(first), len(second))
	assert.Greater(t, len(first), 100)
	assert.Greater(t, len(second), 100)
}

// checkCounts checks that every span was paired, and every collective judged once.
func checkCounts(t *testing.T, gateways []gateway, w *workload) {
	spans, collectives, verdicts := map[string]int64{}, map[string]int64{}, map[string]int64{}
	for _, g := range gateways {
		add(spans, g.counted(t, "collectiveskew_spans"))
		add(collectives, g.counted(t, "collectiveskew_collectives"))
		add(verdicts, g.counted(t, "collectiveskew_verdicts"))
	}
	lost := count(w.rest, missing)
	assert.Equal(t, map[string]int64{"paired": int64((len(w.warmUp)+len(w.rest))*ranks - lost)}, spans)
	assert.Equal(t, map[string]int64{"complete": int64(len(w.warmUp) + len(w.rest) - lost), "missing": int64(lost)}, collectives)
	assert.Equal(t, map[string]int64{
		"on_time":        int64(len(w.warmUp) + count(w.rest, onTime)),
		"straggler":      int64(count(w.rest, late)),
		"desynchronized": int64(count(w.rest, disagreeing)),
		"missing_ranks":  int64(lost),
	}, verdicts)
}

// checkVerdicts compares what the gateways say with what a single one says, and both
// with what happened.
func checkVerdicts(t *testing.T, gateways []gateway, w *workload) {
	single := alone(t, w)
	split := byTrace(t, append(gateways[0].said(), gateways[1].said()...))
	require.Len(t, split, len(single))
	for _, a := range w.rest {
		id, _ := traceID(a.sequence)
		one, ok := single[id]
		if !assert.Equal(t, a.plot != onTime, ok, "number %d", a.sequence) || !ok {
			continue
		}
		two := split[id]
		for _, key := range []string{
			"nccl.verdict", "nccl.sequence", "nccl.straggler.rank", "nccl.straggler.quality", "stall.cause",
			"nccl.straggler.waiters", "nccl.missing.ranks", "nccl.desynchronized.calls",
		} {
			assert.Equal(t, raw(one, key), raw(two, key), "number %d, %s", a.sequence, key)
		}
		assert.Equal(t, one.SpanID(), two.SpanID())
		assert.Equal(t, one.ParentSpanID(), two.ParentSpanID())
		a.check(t, two)
	}
}

// alone returns what one connector says that gets everything.
func alone(t *testing.T, w *workload) map[pcommon.TraceID]ptrace.Span {
	j := newJudge(t)
	for _, acts := range [][]act{w.warmUp, w.rest} {
		for node := range nodes {
			for i := range acts {
				traces := ptrace.NewTraces()
				acts[i].report(traces, node)
				require.NoError(t, j.ConsumeTraces(t.Context(), traces))
			}
		}
	}
	require.Eventually(t, func() bool { return len(j.said()) == len(w.rest)-count(w.rest, onTime) }, 2*patience, 100*time.Millisecond)
	require.NoError(t, j.Shutdown(t.Context()))
	return byTrace(t, j.said())
}

func byTrace(t *testing.T, spans []ptrace.Span) map[pcommon.TraceID]ptrace.Span {
	verdicts := make(map[pcommon.TraceID]ptrace.Span)
	for _, span := range spans {
		assert.NotContains(t, verdicts, span.TraceID(), "one verdict each")
		verdicts[span.TraceID()] = span
	}
	return verdicts
}

// check compares a verdict with what happened.
func (a *act) check(t *testing.T, span ptrace.Span) {
	switch a.plot {
	case late:
		assert.Equal(t, "straggler", raw(span, "nccl.verdict"))
		assert.EqualValues(t, a.rank, raw(span, "nccl.straggler.rank"))
		assert.Equal(t, "io", raw(span, "stall.cause"))
		lag, _ := raw(span, "nccl.straggler.lag").(float64)
		clock, _ := raw(span, "nccl.clock.error").(float64)
		after, _ := raw(span, "nccl.straggler.after").(int64)
		truth := float64(a.lag+(int64(a.rank)-after)*microsecond) / 1e9
		assert.InDelta(t, truth, lag, clock+1e-6, "number %d", a.sequence)
	case disagreeing:
		assert.Equal(t, "desynchronized", raw(span, "nccl.verdict"))
	case missing:
		assert.Equal(t, "missing_ranks", raw(span, "nccl.verdict"))
		assert.Equal(t, []any{int64(a.rank)}, raw(span, "nccl.missing.ranks"))
	default:
		assert.Fail(t, "nothing was to be said", "number %d", a.sequence)
	}
}

func raw(span ptrace.Span, key string) any {
	value, ok := span.Attributes().Get(key)
	if !ok {
		return nil
	}
	return value.AsRaw()
}

func add(to, from map[string]int64) {
	for key, n := range from {
		to[key] += n
	}
}
