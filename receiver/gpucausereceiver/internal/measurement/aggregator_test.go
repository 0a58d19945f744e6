package measurement

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
	"github.com/gpucause/gpucause/internal/probe"
)

// bucketUpper is the upper bound of bucket i, in seconds.
func bucketUpper(i int) float64 {
	return math.Pow(2, float64(i+1+event.HistogramMinIndex)/(1<<event.HistogramScale))
}

func TestBucketsAreThoseOfOTLP(t *testing.T) {
	var h histogram
	increment := durations(time.Millisecond, 5)
	h.add(&increment)
	point := pmetric.NewExponentialHistogramDataPoint()
	h.copyTo(point)
	base := math.Pow(2, math.Pow(2, -float64(point.Scale())))
	index := float64(point.Positive().Offset())
	assert.Less(t, math.Pow(base, index), 0.001)
	assert.GreaterOrEqual(t, math.Pow(base, index+1), 0.001)
	assert.Equal(t, []uint64{5}, point.Positive().BucketCounts().AsRaw())
	assert.InDelta(t, 0.005, point.Sum(), 1e-12)
}

func TestHistogramGrowsBothWays(t *testing.T) {
	var h histogram
	for _, d := range []time.Duration{time.Millisecond, time.Second, time.Microsecond} {
		increment := durations(d, 1)
		h.add(&increment)
	}
	increment := event.Histogram{Zero: 2}
	h.add(&increment)
	assert.EqualValues(t, 5, h.count)
	assert.EqualValues(t, 1, h.counts[0])
	assert.EqualValues(t, 1, h.counts[len(h.counts)-1])
}

func TestStartTimesStayWhenTheWallClockIsAdjusted(t *testing.T) {
	a := newAggregator()
	sample := event.CallSample{Process: engine, Task: engineThread, Probe: probeOf(t, "cudaMalloc"), Since: 5 * second, Durations: durations(time.Millisecond, 1)}
	a.Add(&event.Snapshot{At: 10 * second, Calls: []event.CallSample{sample}}, offset)
	first := streams(a.Metrics(offset, describe))
	back := offset - ktime.Offset(time.Hour)
	a.Add(&event.Snapshot{At: 20 * second, Calls: []event.CallSample{sample}}, back)
	later := streams(a.Metrics(back, describe))
	for id, s := range first {
		assert.Equal(t, s.start, later[id].start, id)
		assert.LessOrEqual(t, s.at, later[id].at, id)
	}
}

func TestDispatchersSeriesBeginsWhenItIsKnown(t *testing.T) {
	a := newAggregator()
	malloc := event.CallSample{Process: engine, Task: engineThread, Probe: probeOf(t, "cudaMalloc"), Since: 5 * second, Durations: durations(time.Millisecond, 1)}
	launch := event.CallSample{Process: engine, Task: engineThread, Probe: probeOf(t, "cudaLaunchKernel"), Since: 12 * second, Durations: durations(time.Millisecond, 1)}
	a.Add(&event.Snapshot{At: 10 * second, Calls: []event.CallSample{malloc}}, 0)
	a.Metrics(0, describe)
	a.Add(&event.Snapshot{At: 20 * second, Calls: []event.CallSample{malloc, launch}}, 0)

	series := a.processes[engine].calls
	require.Len(t, series, 3)
	own := series[callKey{thread: 100, function: "cudaMalloc", layer: probe.LayerRuntime}]
	assert.Equal(t, pcommon.Timestamp(10*second), own.start, "what came before counts in the process's series")
	assert.EqualValues(t, 1, own.durations.count)
}

func TestExitedDispatcherIsEmittedOnceMore(t *testing.T) {
	a := newAggregator()
	launch := event.CallSample{Process: engine, Task: engineThread, Probe: probeOf(t, "cudaLaunchKernel"), Durations: durations(time.Millisecond, 1), Final: true}
	a.Add(&event.Snapshot{At: 10 * second, Calls: []event.CallSample{launch}}, 0)
	assert.NotZero(t, a.Metrics(0, describe).DataPointCount())
	assert.Zero(t, a.Metrics(0, describe).DataPointCount())
}

func TestEndedProcessIsEmittedOnceMore(t *testing.T) {
	a := newAggregator()
	a.Add(&event.Snapshot{At: 10 * second, Memory: []event.MemorySample{{Process: engine, Allocated: 5}}}, 0)
	a.End(engine)
	last := a.Metrics(0, describe)
	require.Equal(t, 1, last.DataPointCount())
	point := last.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Sum().DataPoints().At(0)
	assert.Zero(t, point.IntValue(), "an exited process holds no GPU memory")
	assert.Zero(t, a.Metrics(0, describe).ResourceMetrics().Len())
}

func TestExemplarsAreTheLatestAndNewEachTime(t *testing.T) {
	a := newAggregator()
	launch := probeOf(t, "cudaLaunchKernel")
	a.AddExemplar(Exemplar{Process: engine, TID: 100, Probe: launch}) // nothing counted yet: discarded
	a.Add(&event.Snapshot{At: 10 * second, Calls: []event.CallSample{{Process: engine, Task: engineThread, Probe: launch, Durations: durations(time.Millisecond, 9)}}}, 0)
	for i := range 9 {
		a.AddExemplar(Exemplar{Process: engine, TID: 100, Probe: launch, At: pcommon.Timestamp(i)})
	}
	exemplars := launchPoint(a).Exemplars()
	require.Equal(t, maxExemplars, exemplars.Len())
	assert.Equal(t, pcommon.Timestamp(5), exemplars.At(0).Timestamp())
	assert.Equal(t, pcommon.Timestamp(8), exemplars.At(3).Timestamp())
	assert.Zero(t, launchPoint(a).Exemplars().Len())
}

func launchPoint(a *Aggregator) pmetric.ExponentialHistogramDataPoint {
	metrics := a.Metrics(0, describe).ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics()
	return metrics.At(0).ExponentialHistogram().DataPoints().At(0)
}

// TestNothingIsLostOrCountedTwice feeds random snapshots, with threads that
// become dispatchers, exit and are replaced, and limits that are too small: the
// last values of all streams sum to what went in, and none ever falls.
func TestNothingIsLostOrCountedTwice(t *testing.T) {
	for seed := range uint64(15) {
		random := rand.New(rand.NewPCG(seed, 1))
		a := NewAggregator(Settings{MaxSeriesPerProcess: 1 + random.IntN(12), MaxSeries: 20, ScopeName: "test"})
		fed, last, ledgers := totals{}, map[string]stream{}, ledgers{}
		for n := range 30 {
			snapshot := randomSnapshot(t, random, ktime.Time(n+1)*10*second)
			ledgers.add(random, snapshot)
			fed.feed(snapshot)
			fed.stall(random, a)
			a.Add(snapshot, offset)
			for id, s := range streams(a.Metrics(offset, describe)) {
				before, seen := last[id]
				require.GreaterOrEqual(t, s.value, before.value, id)
				if seen {
					require.Equal(t, before.start, s.start, id)
				}
				require.LessOrEqual(t, s.start, s.at, id)
				last[id] = s
			}
		}
		got := map[string]float64{}
		for _, s := range last {
			got[s.metric] += s.value
		}
		for metric, want := range fed {
			assert.InDelta(t, want, got[metric], 1e-6*max(want, 1), "seed %d: %s", seed, metric)
		}
	}
}

// TestStatesSumToWallTime checks, for each of many threads that come and go, that
// the states of every emission sum to the time since the series' start.
func TestStatesSumToWallTime(t *testing.T) {
	for seed := range uint64(10) {
		random := rand.New(rand.NewPCG(seed, 2))
		a, ledgers := NewAggregator(Settings{MaxSeriesPerProcess: 1000, MaxSeries: 10000}), ledgers{}
		for n := range 20 {
			snapshot := &event.Snapshot{At: ktime.Time(n+1) * 10 * second}
			ledgers.add(random, snapshot)
			a.Add(snapshot, offset)
			for _, point := range dispatchTimes(a.Metrics(offset, describe)) {
				ledger := ledgers[point.thread]
				require.InDelta(t, ledger.counted.Sub(ledger.since).Seconds(), point.seconds, 1e-9)
				require.EqualValues(t, offset.UnixNano(ledger.since), point.start)
				require.EqualValues(t, offset.UnixNano(ledger.counted), point.end)
			}
		}
	}
}

func TestStallOfEndedDispatcherIsNotLost(t *testing.T) {
	a := newAggregator()
	a.Add(&event.Snapshot{At: 10 * second, Ledger: []event.LedgerSample{{Process: engine, Task: engineThread, At: 10 * second, Final: true}}}, 0)
	a.Metrics(0, describe)
	a.AddStall(engine, engineThread, "io")
	a.Add(&event.Snapshot{At: 20 * second}, 0)
	assert.EqualValues(t, 1, a.processes[engine].stalls[stallKey{cause: "io"}].count)
}

func TestStallsWaitingForASnapshotAreBounded(t *testing.T) {
	a := NewAggregator(Settings{MaxSeriesPerProcess: 5, MaxSeries: 5})
	for pid := range event.PID(100) {
		a.AddStall(event.ProcessID{PID: pid + 1}, engineThread, "io")
	}
	assert.LessOrEqual(t, len(a.stalls), 6)
	assert.EqualValues(t, 95, a.Overflowed())
	a.Add(&event.Snapshot{At: 10 * second}, 0)
	assert.EqualValues(t, 95, a.processes[event.ProcessID{}].stalls[stallKey{}].count)
	assert.Empty(t, a.stalls)
}

func TestProcessesAndMemoryStayBounded(t *testing.T) {
	a := NewAggregator(Settings{MaxSeriesPerProcess: 4, MaxSeries: 8})
	random := rand.New(rand.NewPCG(1, 1))
	for n := range 50 {
		a.Add(randomSnapshot(t, random, ktime.Time(n+1)*second), 0)
		// The limit, and per process one overflow series of calls, of errors, of
		// ledgers and of stalls, and its own of threads.
		assert.LessOrEqual(t, a.series, 8+5*len(a.processes))
	}
}
