package measurement

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
	"github.com/gpucause/gpucause/internal/probe"
)

// stream is the latest point of one metric stream.
type stream struct {
	metric    string
	value     float64
	start, at pcommon.Timestamp
}

// streams returns every stream by resource, metric and attributes. Two points
// of one stream in the same metrics read as a fall, which no test lets pass.
func streams(metrics pmetric.Metrics) map[string]stream {
	found := map[string]stream{}
	for _, resource := range metrics.ResourceMetrics().All() {
		for _, metric := range resource.ScopeMetrics().At(0).Metrics().All() {
			add := func(attributes pcommon.Map, s stream) {
				s.metric = metric.Name()
				id := fmt.Sprint(resource.Resource().Attributes().AsRaw(), metric.Name(), attributes.AsRaw())
				if _, twice := found[id]; twice {
					s.value = -1
				}
				found[id] = s
			}
			visit(metric, add)
		}
	}
	return found
}

func visit(metric pmetric.Metric, add func(pcommon.Map, stream)) {
	if metric.Type() == pmetric.MetricTypeExponentialHistogram {
		for _, point := range metric.ExponentialHistogram().DataPoints().All() {
			add(point.Attributes(), stream{value: float64(point.Count()), start: point.StartTimestamp(), at: point.Timestamp()})
		}
		return
	}
	for _, point := range metric.Sum().DataPoints().All() {
		value := point.DoubleValue()
		if point.ValueType() == pmetric.NumberDataPointValueTypeInt {
			value = float64(point.IntValue())
		}
		add(point.Attributes(), stream{value: value, start: point.StartTimestamp(), at: point.Timestamp()})
	}
}

// totals are what was fed, by metric.
type totals map[string]float64

func (t totals) feed(snapshot *event.Snapshot) {
	for i := range snapshot.Calls {
		sample := &snapshot.Calls[i]
		t["gpu.cuda.call.duration"] += float64(sample.Durations.Count())
		t["gpu.cuda.call.interrupted"] += float64(sample.Interrupted)
		t["gpu.cuda.call.off_cpu.time"] += (sample.Blocked + sample.Runnable).Seconds()
		for _, n := range sample.Bytes {
			t["gpu.cuda.memcpy.size"] += float64(n)
		}
	}
	for _, sample := range snapshot.Errors {
		t["gpu.cuda.call.errors"] += float64(sample.Count)
	}
	for i := range snapshot.Ledger {
		sample := &snapshot.Ledger[i]
		t["dispatch.time"] += sample.Time.Total().Seconds()
		t["dispatch.cycle.duration"] += float64(sample.Cycles.Count())
	}
	for i := range snapshot.OffCPU {
		sample := &snapshot.OffCPU[i]
		t["thread.run_queue.latency"] += float64(sample.RunQueue.Count())
		for reason := range event.Reasons {
			t["thread.off_cpu.time"] += sample.Time[reason].Seconds()
			t["thread.off_cpu.count"] += float64(sample.Count[reason])
		}
	}
}

// stall feeds the judgement of a random thread's cycle.
func (t totals) stall(random *rand.Rand, a *Aggregator) {
	causes := []string{"lock", "io", "unknown"}
	process := event.ProcessID{PID: event.PID(1 + random.IntN(3)), Start: 1}
	task := event.Task{Thread: event.Thread{PID: process.PID, TID: event.TID(1 + random.IntN(30))}}
	a.AddStall(process, task, causes[random.IntN(len(causes))])
	t["dispatch.stalls"]++
}

// ledgers are those of every dispatcher there was.
type ledgers map[event.TID]*ledger

type ledger struct {
	since, counted ktime.Time
	exited         bool
}

// add puts the increments of every dispatcher's ledger since the previous
// snapshot into snapshot. Dispatchers come and, for good, go.
func (l ledgers) add(random *rand.Rand, snapshot *event.Snapshot) {
	for n := range event.TID(random.IntN(3)) {
		since := snapshot.At - ktime.Time(random.Int64N(int64(10*time.Second)))
		l[event.TID(1000+10*snapshot.At/second)+n] = &ledger{since: since, counted: since}
	}
	for tid, ledger := range l {
		if !ledger.exited {
			snapshot.Ledger = append(snapshot.Ledger, ledger.sample(random, tid, snapshot.At))
		}
	}
}

func (l *ledger) sample(random *rand.Rand, tid event.TID, at ktime.Time) event.LedgerSample {
	sample := event.LedgerSample{
		Process: event.ProcessID{PID: 1, Start: 1},
		Task:    event.Task{Thread: event.Thread{PID: 1, TID: tid}},
		Since:   l.since,
		Final:   random.IntN(5) == 0,
		Cycles:  durations(time.Millisecond, uint32(random.IntN(3))),
	}
	at += ktime.Time(random.Int64N(int64(time.Millisecond))) // read a little later than the rest
	if sample.Final {
		at -= (at - l.counted) / 2
	}
	sample.At = at
	split(random, at.Sub(l.counted), &sample.Time)
	l.counted, l.exited = at, sample.Final
	return sample
}

// split divides d over random states.
func split(random *rand.Rand, d time.Duration, into *event.Ledger) {
	for d > 0 {
		part := 1 + time.Duration(random.Int64N(int64(d)))
		into[random.IntN(int(event.LedgerStates))] += part
		d -= part
	}
}

// dispatchPoint is dispatch.time of one thread, all states together.
type dispatchPoint struct {
	thread  event.TID
	seconds float64
	period
}

func dispatchTimes(metrics pmetric.Metrics) map[event.TID]dispatchPoint {
	found := map[event.TID]dispatchPoint{}
	for _, resource := range metrics.ResourceMetrics().All() {
		for _, metric := range resource.ScopeMetrics().At(0).Metrics().All() {
			if metric.Name() != "dispatch.time" {
				continue
			}
			for _, point := range metric.Sum().DataPoints().All() {
				id, _ := point.Attributes().Get("thread.id")
				tid := event.TID(id.Int())
				found[tid] = dispatchPoint{tid, found[tid].seconds + point.DoubleValue(), period{point.StartTimestamp(), point.Timestamp()}}
			}
		}
	}
	return found
}

var symbols = []string{"cudaLaunchKernel", "cudaLaunchKernel_ptsz", "cudaMalloc", "cudaFree", "cudaMemcpyAsync", "cuMemAlloc_v2"}

// randomSnapshot uses thread ids from a range that moves with time, so that
// threads exit for good.
func randomSnapshot(t testing.TB, random *rand.Rand, at ktime.Time) *event.Snapshot {
	snapshot := &event.Snapshot{At: at}
	generation := int(at / (50 * second))
	for range random.IntN(20) {
		id := event.ProcessID{PID: event.PID(1 + random.IntN(3)), Start: 1}
		tid := event.TID(1 + generation*10 + random.IntN(6))
		task := event.Task{Thread: event.Thread{PID: id.PID, TID: tid}, Comm: event.MakeComm("t")}
		final := (at+10*second)/(50*second) != at/(50*second)
		symbol := probeOf(t, symbols[random.IntN(len(symbols))])
		snapshot.Calls = append(snapshot.Calls, event.CallSample{
			Process: id, Task: task, Probe: symbol, Since: at - 5*second, Final: final,
			Durations:   durations(time.Duration(1+random.IntN(1e9)), uint32(1+random.IntN(5))),
			Interrupted: uint64(random.IntN(3)),
			Blocked:     time.Duration(random.IntN(1e6)),
			Bytes:       [probe.MemcpyKinds]uint64{probe.MemcpyHostToDevice: uint64(random.IntN(100))},
		})
		snapshot.Errors = append(snapshot.Errors, event.ErrorSample{Process: id, Probe: symbol, Result: int32(1 + random.IntN(3)), Count: 1})
		sample := event.OffCPUSample{Process: id, Task: task, Since: at - 5*second, Final: final, RunQueue: durations(time.Microsecond, 1)}
		sample.Time[random.IntN(int(event.Reasons))] = time.Duration(random.IntN(1e9))
		sample.Count[random.IntN(int(event.Reasons))] = 1
		snapshot.OffCPU = append(snapshot.OffCPU, sample)
	}
	return snapshot
}
