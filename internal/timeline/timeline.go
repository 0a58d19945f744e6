package timeline

import (
	"container/heap"
	"math"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
)

const farFuture = ktime.Time(math.MaxInt64)

// Timeline collects records. It is for one goroutine.
type Timeline struct {
	settings  Settings
	processes map[event.PID]*process
	threads   int // in all processes
	intervals int // in all histories
	pending   pendingQueue
	held      int        // trees that wait for the record of their cycle, in all threads
	heldWaits int        // intervals outside of calls that do
	settled   ktime.Time // everything that ended until then has been emitted
	swept     ktime.Time // when state was last reclaimed
	stats     Stats
}

// New returns an empty Timeline.
func New(settings Settings) *Timeline {
	return &Timeline{
		settings:  settings.withDefaults(),
		processes: make(map[event.PID]*process),
	}
}

// Add takes in one record, copying what it keeps. The records of one thread
// come in order.
func (t *Timeline) Add(record *event.Record) {
	switch record.Kind {
	case event.KindCall:
		t.addCall(&record.Call)
	case event.KindOffCPU:
		t.addOffCPU(&record.OffCPU)
	case event.KindCycle:
		t.addCycle(&record.Cycle)
	case event.KindProcess:
		t.change(&record.Process)
	}
}

// Advance says that all records that ended before now have been added. It emits
// what has settled, in order of ends, then the orphans that have waited long
// enough, and reclaims state. An end of time as now empties it; what waits for
// the record of a cycle is discarded then.
func (t *Timeline) Advance(now ktime.Time, emit Handler) {
	t.emitSettled(now, emit)
	if now.Sub(t.swept) >= t.settings.Retention/16 {
		t.sweep(now, t.settings.Retention)
		t.emitSettled(now, emit)
	}
}

func (t *Timeline) emitSettled(now ktime.Time, emit Handler) {
	t.settled = max(t.settled, now.Add(-t.settings.Settle))
	for len(t.pending) > 0 && now.Sub(t.pending[0].end()) >= t.settings.Settle {
		s := heap.Pop(&t.pending).(settling)
		if s.tree != nil {
			t.stats.Trees++
		} else {
			t.stats.Cycles++
		}
		s.handTo(emit)
	}
}

// Intervals appends the calls and off-CPU intervals of thread that overlap
// [from, to) to dst: by start, the enclosing one first, with their true times.
func (t *Timeline) Intervals(dst []Interval, thread event.Thread, from, to ktime.Time) []Interval {
	p := t.processes[thread.PID]
	if p == nil || p.threads[thread.TID] == nil {
		return dst
	}
	return p.threads[thread.TID].history.overlapping(dst, from, to)
}

func (t *Timeline) addCall(call *event.Call) {
	p, th := t.admit(call.Task.Thread, call.Start, call.End)
	if th == nil {
		return
	}
	own := *call
	t.remember(th, Interval{Process: p.id, Call: &own})
	node := &Node{Call: &own}
	records := th.collect(node)
	t.stats.Reattached += uint64(node.Missing)
	switch {
	case own.Parent == 0:
		t.release(p, th, farFuture)
		t.complete(th, &Tree{Process: p.id, Root: node})
	case th.held+records > t.settings.MaxParts:
		t.orphan(p, th, node)
	default:
		th.wait(callPart(node, records))
	}
}

func (t *Timeline) addOffCPU(offCPU *event.OffCPU) {
	p, th := t.admit(offCPU.Task.Thread, offCPU.Start, offCPU.End)
	if th == nil {
		return
	}
	own := *offCPU
	t.remember(th, Interval{Process: p.id, OffCPU: &own})
	switch {
	case own.Call == 0:
		t.release(p, th, farFuture)
		if th.cycles.dispatcher {
			t.holdOffCPU(th, &own)
		}
	case th.held >= t.settings.MaxParts:
		t.stats.PartsDropped++
	default:
		th.wait(offCPUPart(&own))
	}
}

// admit returns the state of a record's thread, or nil after counting why not.
func (t *Timeline) admit(id event.Thread, start, end ktime.Time) (*process, *thread) {
	if end < start {
		t.stats.Malformed++
		return nil, nil
	}
	p := t.process(id.PID, start)
	if p == nil {
		t.stats.Refused++
		return nil, nil
	}
	p.alive(start, end)
	th := t.thread(p, id, end)
	if th == nil {
		t.stats.Refused++
		p.lost = max(p.lost, end)
		return nil, nil
	}
	th.exited = false
	th.seen = max(th.seen, end)
	return p, th
}

// process returns the state of a process, new from since on if need be, or nil
// when there is no room.
func (t *Timeline) process(pid event.PID, since ktime.Time) *process {
	if p := t.processes[pid]; p != nil {
		return p
	}
	if len(t.processes) >= t.settings.MaxThreads {
		t.makeRoom(since)
	}
	if len(t.processes) >= t.settings.MaxThreads {
		return nil
	}
	p := &process{id: event.ProcessID{PID: pid}, threads: make(map[event.TID]*thread), traced: period{since: since}, seen: since}
	t.processes[pid] = p
	return p
}

func (t *Timeline) thread(p *process, id event.Thread, now ktime.Time) *thread {
	if th := p.threads[id.TID]; th != nil {
		return th
	}
	if t.threads >= t.settings.MaxThreads {
		t.makeRoom(now)
	}
	if t.threads >= t.settings.MaxThreads {
		return nil
	}
	th := &thread{id: id}
	p.threads[id.TID] = th
	t.threads++
	return th
}

// remember keeps i for look-ups.
func (t *Timeline) remember(th *thread, i Interval) {
	h := &th.history
	if h.size > 0 && (h.size >= t.settings.IntervalsPerThread || t.intervals >= t.settings.MaxIntervals) {
		h.dropOldest()
		t.intervals--
		t.stats.Evicted++
	}
	if t.intervals >= t.settings.MaxIntervals {
		h.forgotten = max(h.forgotten, i.End())
		t.stats.Evicted++
		return
	}
	h.add(i, t.settings.IntervalsPerThread)
	t.intervals++
}

// release gives up on the enclosing calls of what waits on th and ended before cutoff.
func (t *Timeline) release(p *process, th *thread, cutoff ktime.Time) {
	for _, part := range th.takeWaiting(cutoff) {
		if part.node != nil {
			t.orphan(p, th, part.node)
			continue
		}
		t.stats.OrphanOffCPU++
	}
}

func (t *Timeline) orphan(p *process, th *thread, node *Node) {
	t.stats.OrphanTrees++
	t.complete(th, &Tree{Process: p.id, Root: node, Orphan: true})
}

func (t *Timeline) complete(th *thread, tree *Tree) {
	if th.cycles.dispatcher {
		t.holdTree(th, tree)
		return
	}
	t.settle(settling{tree: tree})
}

func (t *Timeline) settle(s settling) {
	if len(t.pending) >= t.settings.MaxPending {
		t.stats.PendingDropped++
		return
	}
	heap.Push(&t.pending, s)
}
