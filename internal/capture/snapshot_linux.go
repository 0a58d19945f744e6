//go:build amd64 || arm64

package capture

import (
	"fmt"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"

	"github.com/gpucause/gpucause/bpf"
	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
	"github.com/gpucause/gpucause/internal/probe"
)

// tally turns the kernel side's counters into increments.
type tally struct {
	maps    *bpf.GpucauseMaps
	calls   *slots[bpf.GpucauseCallSeries]
	threads *slots[bpf.GpucauseThreadStats]
	errors  map[bpf.GpucauseErrorKey]uint64 // previous readings
	missing map[event.ProcessID]uint64      // traced processes not found at the last sweep: in which list first
	opened  ktime.Time
}

func newTally(maps *bpf.GpucauseMaps) (*tally, error) {
	opened, err := ktime.Now()
	if err != nil {
		return nil, err
	}
	calls, err := newSlots[bpf.GpucauseCallSeries](maps.Series, maps.FreeSeries, sharedSeries)
	if err != nil {
		return nil, err
	}
	threads, err := newSlots[bpf.GpucauseThreadStats](maps.StatsSlots, maps.FreeStats, sharedStats)
	if err != nil {
		return nil, err
	}
	return &tally{maps: maps, calls: calls, threads: threads, errors: make(map[bpf.GpucauseErrorKey]uint64), opened: opened}, nil
}

// snapshot returns the increments since the previous one.
func (t *tally) snapshot() (*event.Snapshot, error) {
	now, err := ktime.Now()
	if err != nil {
		return nil, err
	}
	s := &event.Snapshot{At: now}
	if err := t.readCalls(s); err != nil {
		return nil, err
	}
	if err := t.readThreads(s); err != nil {
		return nil, err
	}
	if err := t.readErrors(s); err != nil {
		return nil, err
	}
	return s, t.readMemory(s)
}

func (t *tally) readCalls(s *event.Snapshot) error {
	member := unsafe.Offsetof(bpf.GpucauseCallSeries{}.State)
	return t.calls.each(member, func(slot uint32, now, before *bpf.GpucauseCallSeries) {
		sample := event.CallSample{
			Process:     processID(&now.Task, now.StartBoottimeNs),
			Task:        taskOf(&now.Task),
			Probe:       probe.ID(now.Probe),
			Function:    now.Function,
			Since:       ktime.Time(now.SinceNs),
			Final:       now.State == uint32(bpf.GpucauseSlotStateSlotDead),
			Durations:   histogramSince(&now.Durations, &before.Durations),
			Interrupted: now.Interrupted - before.Interrupted,
			Blocked:     time.Duration(now.BlockedNs - before.BlockedNs),
			Runnable:    time.Duration(now.RunnableNs - before.RunnableNs),
			Entries:     now.Entries - before.Entries,
		}
		for i := range sample.Bytes {
			sample.Bytes[i] = now.Bytes[i] - before.Bytes[i]
		}
		if slot < sharedSeries {
			sample.Probe, sample.Since = probe.ID(slot), t.opened
		}
		if sample.Final || sample.Entries > 0 || sample.Durations.Count() > 0 {
			s.Calls = append(s.Calls, sample)
		}
	})
}

func (t *tally) readThreads(s *event.Snapshot) error {
	member := unsafe.Offsetof(bpf.GpucauseThreadStats{}.State)
	return t.threads.each(member, func(slot uint32, now, before *bpf.GpucauseThreadStats) {
		if slot >= sharedStats && now.Dispatcher != 0 {
			t.readLedger(s, slot, now, before)
		} else {
			now.Ledger = bpf.GpucauseLedger{} // told in whole once the thread is a dispatcher
		}
		sample := event.OffCPUSample{
			Process:  processID(&now.Task, now.StartBoottimeNs),
			Task:     taskOf(&now.Task),
			Since:    ktime.Time(now.SinceNs),
			Final:    now.State == uint32(bpf.GpucauseSlotStateSlotDead),
			RunQueue: histogramSince(&now.RunQueue, &before.RunQueue),
		}
		changed := false
		for i := range sample.Time {
			sample.Time[i] = time.Duration(now.TimeNs[i] - before.TimeNs[i])
			sample.Count[i] = now.Count[i] - before.Count[i]
			changed = changed || sample.Count[i] > 0
		}
		if slot < sharedStats {
			sample.Since = t.opened
		}
		if sample.Final || changed {
			s.OffCPU = append(s.OffCPU, sample)
		}
	})
}

// readLedger brings the ledger of a living thread up to the time of reading: the state that it is in has lasted since the ledger last moved.
func (t *tally) readLedger(s *event.Snapshot, slot uint32, now, before *bpf.GpucauseThreadStats) {
	at := s.At
	if read, err := ktime.Now(); err == nil {
		at = read
	}
	t.settleLedger(slot, now)
	at = max(at, ktime.Time(now.Ledger.SinceNs))
	final := now.State == uint32(bpf.GpucauseSlotStateSlotDead)
	if l := &now.Ledger; final {
		at = ktime.Time(l.SinceNs)
	} else if l.State < uint32(event.LedgerStates) {
		l.TimeNs[l.State] += uint64(at) - l.SinceNs
	}
	sample := event.LedgerSample{
		Process: processID(&now.Task, now.StartBoottimeNs),
		Task:    taskOf(&now.Task),
		Since:   ktime.Time(now.SinceNs),
		At:      at,
		Final:   final,
		Cycles:  histogramSince(&now.Cycles, &before.Cycles),
	}
	for state := range sample.Time {
		// A move that was under way may end a state earlier than we have charged it.
		total := max(now.Ledger.TimeNs[state], before.Ledger.TimeNs[state])
		sample.Time[state] = time.Duration(total - before.Ledger.TimeNs[state])
		now.Ledger.TimeNs[state] = total
	}
	s.Ledger = append(s.Ledger, sample)
}

// ledgerReads is how often a ledger that is being moved is read again.
const ledgerReads = 1000

// settleLedger reads a ledger again while it is being moved.
func (t *tally) settleLedger(slot uint32, stats *bpf.GpucauseThreadStats) {
	var again bpf.GpucauseThreadStats
	for range ledgerReads {
		if t.threads.read(slot, &again) != nil {
			return
		}
		if stats.Ledger.Version&1 == 0 && again.Ledger == stats.Ledger {
			return
		}
		stats.Ledger = again.Ledger
	}
}

func (t *tally) readErrors(s *event.Snapshot) error {
	var key bpf.GpucauseErrorKey
	var count uint64
	entries := t.maps.Errors.Iterate()
	for entries.Next(&key, &count) {
		if before := t.errors[key]; count > before {
			t.errors[key] = count
			s.Errors = append(s.Errors, event.ErrorSample{
				Process: event.ProcessID{PID: event.PID(key.Tgid), Start: ktime.Time(key.StartBoottimeNs)},
				Probe:   probe.ID(key.Probe),
				Result:  key.Result,
				Count:   count - before,
			})
		}
	}
	if err := entries.Err(); err != nil {
		return fmt.Errorf("reading error counts: %w", err)
	}
	return nil
}

func (t *tally) readMemory(s *event.Snapshot) error {
	return eachProcess(t.maps.Processes, func(id event.ProcessID, p *bpf.GpucauseProcess) {
		if p.Followed == 0 {
			s.Memory = append(s.Memory, event.MemorySample{Process: id, Allocated: p.AllocatedBytes})
		}
	})
}

func eachProcess(processes *ebpf.Map, handle func(event.ProcessID, *bpf.GpucauseProcess)) error {
	var tgid uint32
	var p bpf.GpucauseProcess
	entries := processes.Iterate()
	for entries.Next(&tgid, &p) {
		handle(event.ProcessID{PID: event.PID(tgid), Start: ktime.Time(p.StartBoottimeNs)}, &p)
	}
	if err := entries.Err(); err != nil {
		return fmt.Errorf("reading traced processes: %w", err)
	}
	return nil
}

// histogramSince subtracts modulo 2^32: a bucket may wrap between two readings
// as long as it does not lap itself.
func histogramSince(now, before *bpf.GpucauseHistogram) event.Histogram {
	h := event.Histogram{Sum: time.Duration(now.SumNs - before.SumNs), Zero: now.Zero - before.Zero}
	for i := range h.Buckets {
		h.Buckets[i] = now.Buckets[i] - before.Buckets[i]
	}
	return h
}

func taskOf(t *bpf.GpucauseTaskRef) event.Task {
	return event.Task{
		Thread: event.Thread{PID: event.PID(t.Tgid), TID: event.TID(t.Tid)},
		Comm:   event.Comm(t.Comm),
	}
}

func processID(t *bpf.GpucauseTaskRef, startBoottime uint64) event.ProcessID {
	return event.ProcessID{PID: event.PID(t.Tgid), Start: ktime.Time(startBoottime)}
}
