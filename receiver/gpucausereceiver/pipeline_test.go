package gpucausereceiver

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/gpucause/gpucause/internal/capture"
	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
	"github.com/gpucause/gpucause/receiver/gpucausereceiver/internal/metadatatest"
)

func TestSlowCallBecomesATrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.start()
		b.source.put(slowCall(t, 1)...)
		b.pass(time.Second)

		require.Len(t, b.traces.AllTraces(), 1)
		spans := b.traces.AllTraces()[0].ResourceSpans().At(0).ScopeSpans().At(0).Spans()
		assert.Equal(t, "cudaMalloc", spans.At(0).Name())
		assert.Equal(t, "blocked: futex", spans.At(1).Name())
		pid, _ := b.traces.AllTraces()[0].ResourceSpans().At(0).Resource().Attributes().Get("process.pid")
		assert.EqualValues(t, 100, pid.Int())
		assert.Equal(t, []event.PID{200}, b.source.follows(), "its waker is not traced yet")
		b.shutdown()
	})
}

func TestUnfollowedWakerIsCountedAndLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.source.followErr = errBroken
		b.start()
		for id := range uint64(3) {
			b.source.put(slowCall(t, id+1)...)
			b.pass(time.Second)
		}
		assert.Equal(t, []event.PID{200}, b.source.follows(), "left alone until it was waited for much longer")
		metadatatest.AssertEqualGpucauseWakersUnfollowed(t, b.telemetry, []metricdata.DataPoint[int64]{{Value: 1}}, ignored()...)
		b.shutdown()
	})
}

func TestFollowedProcessThatExecutesIsFollowedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.start()
		b.source.put(slowCall(t, 1)...)
		b.pass(time.Second)
		b.source.put(event.Record{Kind: event.KindProcess, Process: event.ProcessChange{
			Task: wakerTask, Kind: event.ProcessExecuted, At: fakeNow(), Start: 1,
		}})
		b.pass(time.Second)
		b.source.put(slowCall(t, 2)...)
		b.pass(time.Second)
		assert.Equal(t, []event.PID{200, 200}, b.source.follows())
		b.shutdown()
	})
}

func TestMetricsComeEveryInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		require.NoError(t, os.Mkdir(filepath.Join(b.receiver.machine.procPath, "100"), 0o700))
		b.start()
		b.source.count(oneCall(t))
		b.pass(b.config.CollectionInterval + time.Second)
		require.Len(t, b.metrics.AllMetrics(), 1)

		b.source.put(slowCall(t, 1)...)
		b.pass(b.config.CollectionInterval)
		require.Len(t, b.metrics.AllMetrics(), 2, "cumulative: unchanged series are emitted again")
		point := b.metrics.AllMetrics()[1].ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).ExponentialHistogram().DataPoints().At(0)
		require.Equal(t, 1, point.Exemplars().Len())
		trace := b.traces.AllTraces()[0].ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
		assert.Equal(t, trace.SpanID(), point.Exemplars().At(0).SpanID())
		b.shutdown()
	})
}

func TestShutdownEmitsWhatIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.start()
		b.source.put(slowCall(t, 1)...)
		b.source.count(oneCall(t))
		b.shutdown()
		assert.Equal(t, 1, b.traces.SpanCount()/2)
		assert.NotZero(t, b.metrics.DataPointCount())
		assert.Equal(t, 1, b.source.closings())
	})
}

func TestExitedProcessIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.start()
		b.source.put(slowCall(t, 1)...)
		b.source.put(exited())
		b.source.count(oneCall(t))
		b.pass(b.config.CollectionInterval + time.Second)
		assert.Len(t, b.metrics.AllMetrics(), 1, "its last counters")
		b.pass(3 * b.config.CollectionInterval)
		assert.Len(t, b.metrics.AllMetrics(), 1)
		b.shutdown()
		p := b.receiver.pipeline
		assert.Empty(t, p.processes.known)
		assert.Empty(t, p.budgets.buckets)
	})
}

// What is known by a process's number is its present owner's.
func TestNewOwnerOfANumberIsNotForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.start()
		adopt := func(start ktime.Time, handle uint64) {
			name := event.FunctionName{Thread: engineTask.Thread, Handle: handle}
			b.source.put(
				event.Record{Kind: event.KindProcess, Process: event.ProcessChange{Task: engineTask, Kind: event.ProcessAdopted, At: fakeNow(), Start: start}},
				event.Record{Kind: event.KindFunctionName, FunctionName: name},
			)
			b.pass(time.Second)
		}
		adopt(1, 0x10)
		b.source.put(exited())
		adopt(2, 0x20)
		names := func() map[uint64]functionName { return b.receiver.pipeline.functions.names[engineTask.Thread.PID] }
		for range 3 {
			b.pass(b.config.CollectionInterval)
			assert.Contains(t, names(), uint64(0x20))
			assert.NotContains(t, names(), uint64(0x10), "the old owner's")
		}
		last := exited()
		last.Process.Start = 2
		b.source.put(last)
		b.pass(3 * b.config.CollectionInterval)
		assert.Empty(t, names())
		assert.Empty(t, b.receiver.pipeline.owners)
		b.shutdown()
	})
}

func TestUnseenExitIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t) // process 100 is not in its /proc
		b.start()
		b.source.count(oneCall(t))
		b.pass(5 * b.config.CollectionInterval)
		assert.LessOrEqual(t, len(b.metrics.AllMetrics()), 2)
		b.shutdown()
	})
}

func TestSpansOverBudgetAreSuppressedAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.configure(func(c *Config) {
			c.Stalls.Mode, c.Spans.MaxPerSecond = StallModeAll, 1 // two spans saved up: one trace
		})
		b.start()
		for id := range uint64(5) {
			b.source.put(slowCall(t, id+1)...)
			b.pass(20 * time.Millisecond)
		}
		b.pass(time.Second)
		assert.Equal(t, 2, b.traces.SpanCount())
		metadatatest.AssertEqualGpucauseStallsSuppressed(t, b.telemetry,
			[]metricdata.DataPoint[int64]{{Value: 4}}, ignored()...)
		b.shutdown()
	})
}

func TestRefusedSpansAreCountedAndDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.receiver.traces = consumertest.NewErr(errBroken)
		b.start()
		b.source.put(slowCall(t, 1)...)
		b.pass(time.Second)
		metadatatest.AssertEqualGpucauseSpansRefused(t, b.telemetry,
			[]metricdata.DataPoint[int64]{{Value: 2}}, ignored()...)
		assert.Empty(t, b.host.statuses(), "a refusal is the consumer's to report")
		b.shutdown()
	})
}

func TestStuckConsumerDoesNotHoldUpShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		stuck, err := consumer.NewTraces(func(ctx context.Context, _ ptrace.Traces) error {
			<-ctx.Done()
			return ctx.Err()
		})
		require.NoError(t, err)
		b.receiver.traces = stuck
		b.start()
		b.source.put(slowCall(t, 1)...)
		b.pass(150 * time.Millisecond)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begun := time.Now()
		require.ErrorIs(t, b.receiver.shutdown(ctx), context.DeadlineExceeded)
		assert.Equal(t, time.Second, time.Since(begun))
		b.pass(2 * consumeTimeout)
		assert.Equal(t, 1, b.source.closings(), "detached all the same")
	})
}

func TestPanicIsReportedAndDetaches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.source.panics = true
		b.start()
		b.pass(time.Second)
		assert.Equal(t, []componentstatus.Status{componentstatus.StatusPermanentError}, b.host.statuses())
		assert.Equal(t, 1, b.source.closings())
		b.shutdown()
	})
}

func TestImpairedReadingIsReportedOnChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.start()
		b.source.fail(errBroken)
		b.pass(time.Second)
		b.source.fail(nil)
		b.pass(time.Second)
		assert.Equal(t, []componentstatus.Status{componentstatus.StatusRecoverableError, componentstatus.StatusOK}, b.host.statuses())
		b.shutdown()
	})
}

func TestOwnMetricsTellWhatIsNotSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.source.report = capture.Report{
			Read:      23,
			Dropped:   map[event.Kind]uint64{event.KindCall: 7},
			Attached:  capture.MechanismSession,
			Processes: 1,
			EntryOnly: true,
			Libraries: []capture.Library{{Attached: 5, Emulated: 3, SingleStepped: 2, Missing: []string{"cuFoo"}}},
			Programs:  []capture.ProgramCost{{Name: "call_entry", Runs: 46, RunTime: 1000}},
		}
		b.start()
		b.pass(time.Second)
		metadatatest.AssertEqualGpucauseRecordsRead(t, b.telemetry, []metricdata.DataPoint[int64]{{Value: 23}}, ignored()...)
		metadatatest.AssertEqualGpucauseRecordsDropped(t, b.telemetry,
			[]metricdata.DataPoint[int64]{{Value: 7, Attributes: attributes("kind", "call")}}, ignored()...)
		metadatatest.AssertEqualGpucauseBpfRuns(t, b.telemetry,
			[]metricdata.DataPoint[int64]{{Value: 46, Attributes: attributes("program", "call_entry")}}, ignored()...)
		metadatatest.AssertEqualGpucauseSymbolsMissing(t, b.telemetry, []metricdata.DataPoint[int64]{{Value: 1}}, ignored()...)
		metadatatest.AssertEqualGpucauseProbesAttached(t, b.telemetry, []metricdata.DataPoint[int64]{
			{Value: 3, Attributes: attributes("mechanism", "session", "site", "emulated")},
			{Value: 2, Attributes: attributes("mechanism", "session", "site", "single_stepped")},
			{Value: 0, Attributes: attributes("mechanism", "session", "site", "entry_only")},
		}, ignored()...)
		b.shutdown()
	})
}

func TestOwnMetricsTellWhatHadNoRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.configure(func(c *Config) { c.Limits.MaxFunctions = 1 })
		b.start()
		for handle := range uint64(5) {
			name := event.FunctionName{Thread: engineTask.Thread, Handle: handle}
			b.source.put(event.Record{Kind: event.KindFunctionName, FunctionName: name})
		}
		for tid := range event.TID(maxDispatchers + 1) {
			cycle := event.Cycle{Task: event.Task{Thread: event.Thread{PID: 100, TID: 100 + tid}}, ID: 1, Start: fakeNow(), End: fakeNow()}
			b.source.put(event.Record{Kind: event.KindCycle, Cycle: cycle})
		}
		b.pass(b.config.CollectionInterval)
		metadatatest.AssertEqualGpucauseLimitsExceeded(t, b.telemetry, []metricdata.DataPoint[int64]{
			{Value: 3, Attributes: attributes("limit", "function_names")},
			{Value: 1, Attributes: attributes("limit", "dispatchers")},
			{Value: maxDispatchers + 1 - 1024, Attributes: attributes("limit", "judged_threads")},
			{Attributes: attributes("limit", "judged_arrivals")},
			{Attributes: attributes("limit", "judged_calls")},
			{Attributes: attributes("limit", "waker_candidates")},
			{Attributes: attributes("limit", "communicators_to_read")},
			{Attributes: attributes("limit", "descriptions")},
		}, ignored()...)
		b.shutdown()
	})
}
