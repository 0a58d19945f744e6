package measurement

import (
	"fmt"
	"testing"
	"time"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
)

// BenchmarkCollection is one collection from 8 processes with 4 dispatchers
// that call 6 functions each.
func BenchmarkCollection(b *testing.B) {
	snapshot := &event.Snapshot{At: second}
	for process := range event.PID(8) {
		for thread := range event.TID(4) {
			id := event.ProcessID{PID: process + 1, Start: 1}
			task := event.Task{Thread: event.Thread{PID: id.PID, TID: thread + 1}, Comm: event.MakeComm(fmt.Sprint("t", thread))}
			for _, symbol := range symbols {
				snapshot.Calls = append(snapshot.Calls, event.CallSample{Process: id, Task: task, Probe: probeOf(b, symbol), Durations: durations(time.Millisecond, 100)})
			}
			snapshot.OffCPU = append(snapshot.OffCPU, event.OffCPUSample{Process: id, Task: task, RunQueue: durations(time.Microsecond, 5)})
		}
	}
	a := newAggregator()
	b.ReportAllocs()
	for b.Loop() {
		snapshot.At += ktime.Time(time.Second)
		a.Add(snapshot, offset)
		a.Metrics(offset, describe)
	}
}
