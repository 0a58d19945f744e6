package gpucausereceiver

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	watchEvery = 5 * time.Millisecond
	// lateFrom is how late a real-time thread must be woken for its CPU to have stood still.
	lateFrom = 5 * time.Millisecond
	// stoodStill is for how long CPUs must stand still to spoil a trial.
	stoodStill = 30 * time.Millisecond
)

// cpuWatch knows for how long a machine's CPUs stood still, as those of a virtual machine
// do when their host has others to serve: nothing in the machine can tell that from
// a GPU, or a program, that takes longer.
type cpuWatch struct {
	still atomic.Int64 // ns, of all CPUs
	over  atomic.Bool
	each  sync.WaitGroup
}

// watchCPUs watches every CPU until the test ends.
func watchCPUs(t testing.TB) *cpuWatch {
	t.Helper()
	w := new(cpuWatch)
	for cpu := range runtime.NumCPU() {
		w.each.Go(func() { w.watch(cpu) })
	}
	t.Cleanup(func() {
		w.over.Store(true)
		w.each.Wait()
	})
	return w
}

// watch measures how late its own wakeups are. Its thread ends with it.
func (w *cpuWatch) watch(cpu int) {
	runtime.LockOSThread()
	var only unix.CPUSet
	only.Set(cpu)
	if unix.SchedSetaffinity(0, &only) != nil ||
		unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 50}, 0) != nil {
		return
	}
	pause := unix.NsecToTimespec(int64(watchEvery))
	for !w.over.Load() {
		before := time.Now()
		_ = unix.Nanosleep(&pause, nil)
		if late := time.Since(before) - watchEvery; late >= lateFrom {
			w.still.Add(int64(late))
		}
	}
}

// stoodStill returns for how long since it was asked before.
func (w *cpuWatch) stoodStill() time.Duration { return time.Duration(w.still.Swap(0)) }
