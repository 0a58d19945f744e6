package gpucausereceiver

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/gpucause/gpucause/internal/causality"
	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
	"github.com/gpucause/gpucause/receiver/gpucausereceiver/internal/metadatatest"
)

const usual = 20 * time.Millisecond

// dispatch puts in n cycles of length d each, of which lock was spent blocked on
// a futex outside of calls until wakerTask woke the dispatcher.
func (b *bench) dispatch(n int, d, lock time.Duration) {
	for range n {
		b.pass(d)
		b.cycles++
		b.source.put(lockedCycle(b.cycles, fakeNow(), d, lock)...)
	}
}

func lockedCycle(id uint64, end ktime.Time, d, lock time.Duration) []event.Record {
	start := end.Add(-d)
	cycle := event.Record{Kind: event.KindCycle, Cycle: event.Cycle{
		Task: engineTask, ID: id, Start: start, End: end, EndedBy: event.CycleEndSync, Launches: 10,
		Ledger: event.Ledger{event.LedgerLock: lock, event.LedgerGPUWait: d - lock},
	}}
	if lock == 0 {
		return []event.Record{cycle}
	}
	return []event.Record{
		{Kind: event.KindOffCPU, OffCPU: event.OffCPU{
			Task: engineTask, Start: start.Add(time.Millisecond), Wake: start.Add(time.Millisecond + lock), End: start.Add(time.Millisecond + lock),
			Reason: event.ReasonFutex, Waker: wakerTask, WakerContext: event.WakerTask,
		}},
		cycle,
	}
}

// roots returns the spans without parent.
func (b *bench) roots() []ptrace.Span {
	var roots []ptrace.Span
	for _, batch := range b.traces.AllTraces() {
		for _, resource := range batch.ResourceSpans().All() {
			for _, span := range resource.ScopeSpans().At(0).Spans().All() {
				if span.ParentSpanID().IsEmpty() {
					roots = append(roots, span)
				}
			}
		}
	}
	return roots
}

func (b *bench) configure(configure func(*Config)) {
	configure(b.config)
	require.NoError(b.t, b.config.Validate())
	b.receiver = newReceiver(b.config, b.settings(), fakeMachine(b.t, b.source))
	b.receiver.traces, b.receiver.metrics = &b.traces, &b.metrics
}

func kindsOf(roots []ptrace.Span) map[string]int {
	kinds := map[string]int{}
	for _, root := range roots {
		kinds[text(root.Attributes(), "stall.kind")]++
	}
	return kinds
}

func text(attributes pcommon.Map, key string) string {
	value, _ := attributes.Get(key)
	return value.AsString()
}

func TestSlowCycleIsAStallWithItsCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.configure(func(c *Config) { c.Stalls.BaselineInterval = 0 })
		b.start()
		b.dispatch(50, usual, 0)
		b.dispatch(1, 4*usual, 3*usual)
		b.dispatch(50, usual, 0)
		b.pass(time.Second)

		roots := b.roots()
		require.Len(t, roots, 1, "nothing else is worth a trace")
		assert.Equal(t, "dispatch cycle", roots[0].Name())
		assert.Equal(t, "lock", text(roots[0].Attributes(), "stall.cause"))
		metadatatest.AssertEqualGpucauseStallsJudged(t, b.telemetry,
			[]metricdata.DataPoint[int64]{{Value: 1, Attributes: attributes("cause", "lock")}}, ignored()...)
		metadatatest.AssertEqualGpucauseCyclesJudged(t, b.telemetry, []metricdata.DataPoint[int64]{{Value: 101}}, ignored()...)
		metadatatest.AssertEqualGpucauseStallsEmitted(t, b.telemetry, []metricdata.DataPoint[int64]{{Value: 1}}, ignored()...)
		b.shutdown()
	})
}

func TestStallsAreInTheMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.configure(func(c *Config) { c.Spans.MaxPerSecond = 0 })
		b.start()
		b.source.count(&event.Snapshot{At: fakeNow(), Ledger: []event.LedgerSample{{
			Process: engineProcess, Task: engineTask, Since: fakeNow(), At: fakeNow().Add(usual), Time: event.Ledger{event.LedgerRunning: usual},
		}}})
		b.source.put(adopted())
		b.dispatch(50, usual, 0)
		b.dispatch(2, 4*usual, 3*usual)
		b.pass(time.Second)
		b.shutdown()

		assert.Empty(t, b.roots(), "over budget")
		points := sumPoints(b.metrics.AllMetrics()[len(b.metrics.AllMetrics())-1], "dispatch.stalls")
		require.Equal(t, 1, points.Len())
		assert.EqualValues(t, 2, points.At(0).IntValue(), "traced or not")
		assert.Equal(t, "lock", text(points.At(0).Attributes(), "stall.cause"))
		assert.Equal(t, "100", text(points.At(0).Attributes(), "thread.id"))
	})
}

func adopted() event.Record {
	return event.Record{Kind: event.KindProcess, Process: event.ProcessChange{
		Task: engineTask, Kind: event.ProcessAdopted, At: fakeNow(), Start: engineProcess.Start,
	}}
}

func sumPoints(metrics pmetric.Metrics, name string) pmetric.NumberDataPointSlice {
	for _, resource := range metrics.ResourceMetrics().All() {
		for _, metric := range resource.ScopeMetrics().At(0).Metrics().All() {
			if metric.Name() == name {
				return metric.Sum().DataPoints()
			}
		}
	}
	return pmetric.NewNumberDataPointSlice()
}

func TestBaselineComesEveryInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.start()
		b.dispatch(int(150*time.Second/usual), usual, 0)
		b.pass(time.Second)
		assert.Equal(t, map[string]int{"baseline": 3}, kindsOf(b.roots()))
		metadatatest.AssertEqualGpucauseBaselinesEmitted(t, b.telemetry, []metricdata.DataPoint[int64]{{Value: 3}}, ignored()...)
		b.shutdown()
	})
}

func TestModeAllTracesEveryCycleAndKeepsRoomForStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.configure(func(c *Config) {
			c.Stalls.Mode, c.Stalls.BaselineInterval, c.Spans.MaxPerSecond = StallModeAll, 0, 25
		})
		b.start()
		b.dispatch(100, usual, 0) // 50 spans a second
		b.dispatch(5, 4*usual, 3*usual)
		b.pass(time.Second)
		kinds := kindsOf(b.roots())
		assert.Equal(t, 5, kinds["stall"])
		assert.InDelta(t, 25+2*25, kinds["sample"], 6)
		suppressed := []metricdata.DataPoint[int64]{{Value: int64(100 - kinds["sample"])}}
		metadatatest.AssertEqualGpucauseStallsSuppressed(t, b.telemetry, suppressed, ignored()...)
		b.shutdown()
	})
}

func TestModeOffJudgesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.configure(func(c *Config) { c.Stalls.Mode = StallModeOff })
		b.start()
		b.dispatch(50, usual, 0)
		b.dispatch(1, 4*usual, 3*usual)
		b.pass(time.Second)
		assert.Empty(t, b.roots())
		_, err := b.telemetry.GetMetric("otelcol_gpucause_cycles_judged")
		require.Error(t, err, "never counted")
		b.shutdown()
	})
}

func TestProcessThatWakesADispatcherIsFollowedBeforeItIsAStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.start()
		b.dispatch(1, usual, 0)
		b.dispatch(5, usual, 300*time.Microsecond)
		b.pass(20 * time.Millisecond)
		assert.Equal(t, []event.PID{wakerTask.Thread.PID}, b.source.follows())
		assert.Empty(t, b.roots())
		b.shutdown()
	})
}

func TestEndedProcessTellsItsLastStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.start()
		b.source.put(adopted())
		b.pass(b.config.CollectionInterval - 5*usual - 50*time.Millisecond)
		b.dispatch(10, usual/2, 0)
		b.dispatch(1, 2*usual, usual)
		b.source.put(exited()) // right before a collection
		b.pass(b.config.CollectionInterval)
		require.Len(t, b.roots(), 2, "a baseline and the stall")
		b.pass(b.config.CollectionInterval)
		assert.Empty(t, b.receiver.pipeline.processes.known)
		assert.Zero(t, b.receiver.pipeline.judge.Threads())
		b.shutdown()
	})
}

func TestStallSettings(t *testing.T) {
	explain := causality.Settings{MaxDepth: 2}
	assert.Equal(t, causality.JudgeSettings{
		MinDuration: 10 * time.Millisecond, Ratio: 1.5, Window: 64, WarmUp: 8, Idle: time.Minute, Baseline: time.Minute, Explain: explain,
	}, testConfig().Stalls.judgeSettings(explain))
	config := testConfig()
	config.Stalls.Mode, config.Stalls.BaselineInterval = StallModeAll, 0
	settings := config.Stalls.judgeSettings(explain)
	assert.Equal(t, causality.ModeAll, settings.Mode)
	assert.Negative(t, settings.Baseline, "never")
}

// The dispatcher waits for a lock while another one, which holds it, waits for the
// disk in a cycle of its own that ends first.
func TestWaitLeadsToTheCycleOfItsWaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.configure(func(c *Config) { c.Stalls.Mode = StallModeAll })
		b.start()
		b.source.put(adopted())
		b.pass(time.Second)
		end := fakeNow()
		records := lockedCycle(1, end, usual, usual/2)
		wait, cycle := &records[0].OffCPU, &records[1].Cycle
		wait.Waker = helperTask
		held := event.OffCPU{Task: helperTask, Start: wait.Start, Wake: wait.Wake - 10, End: wait.Wake - 10, Reason: event.ReasonIO}
		holder := event.Cycle{Task: helperTask, ID: 1, Start: cycle.Start, End: wait.Wake, EndedBy: event.CycleEndSync}
		b.source.put(
			event.Record{Kind: event.KindOffCPU, OffCPU: held}, event.Record{Kind: event.KindCycle, Cycle: holder},
			records[0], records[1],
		)
		b.pass(time.Second)

		require.Len(t, b.roots(), 2)
		require.Equal(t, "helper", text(b.roots()[0].Attributes(), "thread.name"))
		links := map[string]pcommon.SpanID{}
		for _, span := range b.traces.AllTraces()[0].ResourceSpans().At(0).ScopeSpans().At(0).Spans().All() {
			for _, link := range span.Links().All() {
				links[span.Name()+" "+text(link.Attributes(), "stall.link")] = link.SpanID()
			}
		}
		assert.Equal(t, map[string]pcommon.SpanID{"blocked: futex waker_cycle": b.roots()[0].SpanID()}, links)
		b.shutdown()
	})
}
