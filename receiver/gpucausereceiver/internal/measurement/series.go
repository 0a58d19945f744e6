package measurement

import (
	"cmp"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/probe"
)

// callKey names a series of one function's calls. Thread 0 is the process's,
// an empty function the overflow series.
type callKey struct {
	thread   event.TID
	function string
	layer    probe.Layer
	launched string // name of the launched function, where launches are counted by it
}

func compareCalls(a, b callKey) int {
	return cmp.Or(cmp.Compare(a.thread, b.thread), cmp.Compare(a.function, b.function),
		cmp.Compare(a.layer, b.layer), cmp.Compare(a.launched, b.launched))
}

type callSeries struct {
	start       pcommon.Timestamp
	class       probe.Class
	durations   histogram
	interrupted uint64
	blocked     time.Duration
	runnable    time.Duration
	entries     uint64
	exemplars   []Exemplar
}

func (s *callSeries) add(sample *event.CallSample) {
	s.durations.add(&sample.Durations)
	s.interrupted += sample.Interrupted
	s.blocked += sample.Blocked
	s.runnable += sample.Runnable
	s.entries += sample.Entries
}

// errorKey names a series of failed calls of a process.
type errorKey struct {
	function string
	layer    probe.Layer
	result   int32
}

func compareErrors(a, b errorKey) int {
	return cmp.Or(cmp.Compare(a.function, b.function), cmp.Compare(a.layer, b.layer), cmp.Compare(a.result, b.result))
}

type errorSeries struct {
	start pcommon.Timestamp
	class probe.Class
	count uint64
}

// threadSeries are the series without a function, of one dispatcher or, under
// thread 0, of all other threads of a process together.
type threadSeries struct {
	start    pcommon.Timestamp
	time     [event.Reasons]time.Duration
	count    [event.Reasons]uint64
	runQueue histogram
	copied   [probe.MemcpyKinds]uint64
}

func (s *threadSeries) addOffCPU(sample *event.OffCPUSample) {
	for i := range sample.Time {
		s.time[i] += sample.Time[i]
		s.count[i] += sample.Count[i]
	}
	s.runQueue.add(&sample.RunQueue)
}

func (s *threadSeries) addCopied(increment *[probe.MemcpyKinds]uint64) {
	for i, n := range increment {
		s.copied[i] += n
	}
}

type memorySeries struct {
	start     pcommon.Timestamp
	allocated int64
}
