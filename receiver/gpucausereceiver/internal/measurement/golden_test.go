package measurement

import (
	"flag"
	"path/filepath"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/golden"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/pdatatest/pmetrictest"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
	"github.com/gpucause/gpucause/internal/probe"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const (
	second = ktime.Time(time.Second)
	offset = ktime.Offset(1_700_000_000 * time.Second)
)

var (
	engine       = event.ProcessID{PID: 100, Start: 1}
	engineThread = event.Task{Thread: event.Thread{PID: 100, TID: 100}, Comm: event.MakeComm("python3")}
	worker       = event.Task{Thread: event.Thread{PID: 100, TID: 101}, Comm: event.MakeComm("loader")}
	traceID      = pcommon.TraceID{1, 2, 3}
)

func probeOf(t testing.TB, symbol string) probe.ID {
	t.Helper()
	row, ok := probe.Find(symbol)
	require.True(t, ok, symbol)
	return row.ID
}

// durations counts n calls of d.
func durations(d time.Duration, n uint32) event.Histogram {
	var h event.Histogram
	h.Sum = d * time.Duration(n)
	i := 0
	for upper := bucketUpper(0); upper < d.Seconds() && i < event.HistogramBuckets-1; upper = bucketUpper(i) {
		i++
	}
	h.Buckets[i] = n
	return h
}

func describe(id event.ProcessID, resource pcommon.Resource) {
	resource.Attributes().PutInt("process.pid", int64(id.PID))
}

func newAggregator() *Aggregator {
	return NewAggregator(Settings{MaxSeriesPerProcess: 100, MaxSeries: 1000, ScopeName: "test", ScopeVersion: "1"})
}

// TestGolden checks every metric: a dispatcher (main) that launches, copies,
// reduces, waits and fails, and a worker that only copies.
func TestGolden(t *testing.T) {
	a := newAggregator()
	a.AddStall(engine, engineThread, "lock")
	a.AddStall(engine, engineThread, "lock")
	a.AddStall(engine, engineThread, "unknown")
	addCollectives(a)
	launch := probeOf(t, "cudaLaunchKernel")
	copyAsync := probeOf(t, "cudaMemcpyAsync")
	a.Add(&event.Snapshot{
		At: 20 * second,
		Calls: []event.CallSample{
			{Process: engine, Task: engineThread, Probe: copyAsync, Since: 11 * second, Durations: durations(time.Millisecond, 2), Bytes: [probe.MemcpyKinds]uint64{probe.MemcpyHostToDevice: 4096}},
			{Process: engine, Task: engineThread, Probe: launch, Since: 12 * second, Durations: durations(5*time.Microsecond, 23), Interrupted: 1, Runnable: 2 * time.Millisecond},
			{Process: engine, Task: worker, Probe: copyAsync, Since: 13 * second, Durations: durations(time.Millisecond, 1), Blocked: time.Millisecond, Interrupted: 1, Bytes: [probe.MemcpyKinds]uint64{probe.MemcpyDeviceToHost: 512}},
			{Process: engine, Task: engineThread, Probe: probeOf(t, "cudaDeviceSynchronize"), Since: 14 * second, Entries: 3},
			{Process: engine, Task: engineThread, Probe: probeOf(t, "ncclAllReduce"), Since: 15 * second, Durations: durations(20*time.Microsecond, 4)},
		},
		Errors: []event.ErrorSample{{Process: engine, Probe: launch, Result: 700, Count: 1}},
		OffCPU: []event.OffCPUSample{{
			Process: engine, Task: engineThread, Since: 11 * second,
			Time:     [event.Reasons]time.Duration{event.ReasonFutex: time.Second, event.ReasonRunQueue: time.Millisecond},
			Count:    [event.Reasons]uint64{event.ReasonFutex: 7},
			RunQueue: durations(time.Millisecond, 7),
		}},
		Memory: []event.MemorySample{{Process: engine, Allocated: 1 << 20}},
		Ledger: []event.LedgerSample{{
			Process: engine, Task: engineThread, Since: 12 * second, At: 20 * second,
			Time:   event.Ledger{event.LedgerRunning: 5 * time.Second, event.LedgerLaunch: time.Second, event.LedgerGPUWait: 2 * time.Second},
			Cycles: durations(20*time.Millisecond, 400),
		}},
	}, offset)
	a.AddExemplar(Exemplar{
		Process: engine, TID: 100, Probe: launch, Duration: 5 * time.Microsecond,
		At: 19, TraceID: traceID, SpanID: pcommon.SpanID{4},
	})
	a.AddExemplar(Exemplar{
		Process: engine, TID: 101, Probe: copyAsync, Duration: time.Millisecond,
		At: 20, TraceID: traceID, SpanID: pcommon.SpanID{5},
	})
	requireGolden(t, "every-metric", a.Metrics(offset, describe))
}

// addCollectives adds all-reduces that completed, one that did not and was not
// waited for, and a send of a communicator of which nothing is known.
func addCollectives(a *Aggregator) {
	reduce := Collective{
		Process: engine, Operation: "AllReduce", Communicator: "f5f84ddfff6f2af1", Rank: 3, Size: 4096,
		Duration: 2 * time.Millisecond, Completed: true, Wait: time.Millisecond, Waited: true,
	}
	a.AddCollective(&reduce)
	a.AddCollective(&reduce)
	a.AddCollective(&Collective{Process: engine, Operation: "AllReduce", Communicator: "f5f84ddfff6f2af1", Rank: 3, Size: 4096})
	a.AddCollective(&Collective{Process: engine, Operation: "Send", Rank: -1, Duration: time.Millisecond, Completed: true})
}

func TestGoldenOverflow(t *testing.T) {
	a := NewAggregator(Settings{MaxSeriesPerProcess: 1, MaxSeries: 10, ScopeName: "test"})
	a.AddStall(engine, worker, "io")
	a.AddStall(engine, worker, "lock")
	addCollectives(a)
	a.Add(&event.Snapshot{
		At: 20 * second,
		Calls: []event.CallSample{
			{Process: engine, Task: worker, Probe: probeOf(t, "cudaMalloc"), Durations: durations(time.Millisecond, 1)},
			{Process: engine, Task: worker, Probe: probeOf(t, "cudaFree"), Durations: durations(time.Millisecond, 2)},
			{Process: engine, Task: worker, Probe: probeOf(t, "cuMemAlloc_v2"), Durations: durations(time.Millisecond, 4)},
			{Durations: durations(time.Second, 8)}, // the Linux kernel side's own overflow
		},
		Errors: []event.ErrorSample{{Process: engine, Probe: probeOf(t, "cudaMalloc"), Result: 2, Count: 3}},
		Ledger: []event.LedgerSample{
			{Process: engine, Task: engineThread, Since: 12 * second, At: 13 * second, Time: event.Ledger{event.LedgerRunning: time.Second}, Cycles: durations(time.Millisecond, 1)},
			{Process: engine, Task: worker, Since: 13 * second, At: 15 * second, Time: event.Ledger{event.LedgerRunning: time.Second, event.LedgerIO: time.Second}},
		},
	}, offset)
	require.EqualValues(t, 9, a.Overflowed())
	requireGolden(t, "overflow", a.Metrics(offset, describe))
}

func requireGolden(t *testing.T, name string, got pmetric.Metrics) {
	t.Helper()
	path := filepath.Join("testdata", name+".yaml")
	if *update {
		require.NoError(t, golden.WriteMetricsToFile(path, got, golden.SkipMetricTimestampNormalization()))
	}
	want, err := golden.ReadMetrics(path)
	require.NoError(t, err)
	require.NoError(t, pmetrictest.CompareMetrics(want, got, pmetrictest.IgnoreMetricsOrder(), pmetrictest.IgnoreMetricDataPointsOrder()))
}
