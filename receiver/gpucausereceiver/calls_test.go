package gpucausereceiver

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/receiver/gpucausereceiver/internal/metadatatest"
)

// helperTask is a thread of the engine that never launches.
var helperTask = event.Task{Thread: event.Thread{PID: 100, TID: 101}, Comm: event.MakeComm("helper")}

// wait puts in n synchronisations of the helper, one every 20 ms, as healthy ones
// are that it makes in every step.
func (b *bench) wait(n int, took time.Duration) {
	for range n {
		b.pass(usual)
		b.waitOnce(took, event.NotableSlow)
	}
}

func (b *bench) waitOnce(took time.Duration, notable event.Notable) {
	b.calls++
	b.source.put(event.Record{Kind: event.KindCall, Call: event.Call{
		Task: helperTask, ID: b.calls, Probe: probeOf(b.t, "cudaEventSynchronize"), Notable: notable,
		Start: fakeNow().Add(-took), End: fakeNow(), Blocked: took,
	}})
}

// ofHelper returns the roots that are the helper's.
func (b *bench) ofHelper() []ptrace.Span {
	var found []ptrace.Span
	for _, root := range b.roots() {
		if text(root.Attributes(), "thread.name") == "helper" {
			found = append(found, root)
		}
	}
	return found
}

func TestHealthyThreadWithoutCyclesIsNotBlamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.start()
		b.wait(1000, 12*time.Millisecond)
		b.pass(time.Second)
		early := b.ofHelper()
		require.Len(t, early, 3, "in 20 s: examples")
		for _, root := range early {
			assert.NotContains(t, root.Attributes().AsRaw(), "stall.cause")
			assert.NotContains(t, root.Attributes().AsRaw(), "stall.explained")
			assert.Contains(t, text(root.Attributes(), "stall.summary"), "cudaEventSynchronize took 12.0 ms")
		}
		metadatatest.AssertEqualGpucauseCallsUnremarkable(t, b.telemetry, []metricdata.DataPoint[int64]{{Value: 997}}, ignored()...)

		b.wait(1, 90*time.Millisecond)
		b.pass(time.Second)
		require.Len(t, b.ofHelper(), 4)
		assert.Equal(t, "gpu_busy", text(b.ofHelper()[3].Attributes(), "stall.cause"))
		b.shutdown()
	})
}

func TestModeAllTracesEveryCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.configure(func(c *Config) { c.Stalls.Mode = StallModeAll })
		b.start()
		b.wait(100, 12*time.Millisecond)
		b.pass(time.Second)
		require.Len(t, b.ofHelper(), 100)
		assert.Equal(t, "gpu_busy", text(b.ofHelper()[99].Attributes(), "stall.cause"), "where its time went")
		b.shutdown()
	})
}

func TestModeOffJudgesCallsAllTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.configure(func(c *Config) { c.Stalls.Mode = StallModeOff })
		b.start()
		b.wait(100, 12*time.Millisecond)
		b.pass(time.Second)
		assert.Len(t, b.ofHelper(), 3)
		b.shutdown()
	})
}

// However many calls there are, half of the budget is left for stalls of the same
// process; failing calls have all of it.
func TestCallsLeaveRoomForStalls(t *testing.T) {
	for name, test := range map[string]struct {
		notable event.Notable
		told    int
	}{
		"slow":    {event.NotableSlow, 10 + 1},
		"failing": {event.NotableFailed, 20},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				b.configure(func(c *Config) {
					c.Stalls.Mode, c.Spans.MaxPerSecond = StallModeAll, 10
				})
				b.start()
				for range 100 {
					b.waitOnce(12*time.Millisecond, test.notable)
				}
				b.pass(time.Millisecond * 200)
				assert.Len(t, b.ofHelper(), test.told)
				b.shutdown()
			})
		})
	}
}

func TestCallsOfAnEndedProcessAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.start()
		b.source.put(adopted())
		b.wait(5, 12*time.Millisecond)
		b.source.put(exited())
		b.pass(3 * b.config.CollectionInterval)
		assert.Zero(t, b.receiver.pipeline.calls.Callers())
		b.shutdown()
	})
}
