package event

import (
	"time"

	"github.com/gpucause/gpucause/internal/ktime"
	"github.com/gpucause/gpucause/internal/probe"
)

// A Histogram's buckets are those of an OTLP exponential histogram of seconds at
// scale HistogramScale: bucket i counts values in (base^(i+HistogramMinIndex),
// base^(i+1+HistogramMinIndex)] seconds with base = 2^(2^-HistogramScale).
const (
	HistogramScale    = 3
	HistogramMinIndex = -24 << HistogramScale                      // 2^-24 s, about 60 ns
	HistogramBuckets  = (12 << HistogramScale) - HistogramMinIndex // to 2^12 s; longer values count in the last bucket
)

// Histogram is a distribution of durations, exact in count and sum, and in
// buckets to 9 % of the value.
type Histogram struct {
	Sum     time.Duration
	Zero    uint32 // values of at most 2^-24 s: OTLP's zero bucket with that threshold
	Buckets [HistogramBuckets]uint32
}

// Count returns the number of values.
func (h *Histogram) Count() uint64 {
	n := uint64(h.Zero)
	for _, b := range &h.Buckets {
		n += uint64(b)
	}
	return n
}

// Snapshot is what the Linux kernel side counted since the previous snapshot:
// every figure but Memory's is an increment, so that summing snapshots loses nothing.
type Snapshot struct {
	At     ktime.Time
	Calls  []CallSample
	Errors []ErrorSample
	OffCPU []OffCPUSample
	Memory []MemorySample
	Ledger []LedgerSample // of dispatchers: threads that have launched
}

// CallSample counts the calls of one function by one thread. A call nested in
// another of the same layer is part of that one and not counted; a driver call
// nested in a runtime call counts under its own name and layer.
type CallSample struct {
	Process ProcessID
	Task    Task // zero Thread in the overflow sample: series beyond the kernel side's room, all processes together
	Probe   probe.ID
	// Function is the handle of the launched function that the sample is of; 0 is
	// all that have no sample of their own.
	Function uint64
	Since    ktime.Time // when this series began
	Final    bool       // the thread has exited

	Durations   Histogram
	Interrupted uint64                    // calls with at least one off-CPU interval inside
	Blocked     time.Duration             // off-CPU time inside calls, exact
	Runnable    time.Duration             //
	Bytes       [probe.MemcpyKinds]uint64 // by direction, of calls that count bytes
	Entries     uint64                    // calls seen at entry only, without duration
}

// ErrorSample counts calls that returned Result.
type ErrorSample struct {
	Process ProcessID
	Probe   probe.ID
	Result  int32
	Count   uint64
}

// OffCPUSample counts the off-CPU intervals of one thread, or of all threads of
// a process without CUDA calls together (TID 0).
type OffCPUSample struct {
	Process ProcessID
	Task    Task
	Since   ktime.Time
	Final   bool

	Time     [Reasons]time.Duration // exact
	Count    [Reasons]uint64        // intervals by the reason of their switch-out; a wakeup's ReasonRunQueue is part of its interval and not counted again
	RunQueue Histogram              // wakeup to switch-in
}

// MemorySample is the GPU memory that a process has allocated and not freed, in
// bytes, by the calls seen: a lower bound if it was adopted late.
type MemorySample struct {
	Process   ProcessID
	Allocated int64
}
