package collective

import (
	"container/heap"

	"github.com/gpucause/gpucause/internal/ktime"
)

// queue is a heap (container/heap) of the operations that have not been told, the
// one that is due first first.
type queue []*Operation

func (q queue) Len() int { return len(q) }

func (q queue) Less(i, j int) bool {
	if q[i].due != q[j].due {
		return q[i].due < q[j].due
	}
	return q[i].End < q[j].End
}

func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i, j
}

func (q *queue) Push(o any) {
	operation := o.(*Operation)
	operation.place, operation.queued = len(*q), true
	*q = append(*q, operation)
}

func (q *queue) Pop() any {
	last := len(*q) - 1
	o := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	o.queued = false
	return o
}

// next takes the operation that is due first.
func (q *queue) next() *Operation { return heap.Pop(q).(*Operation) }

// Handler receives operations, each two or three times. A nil field discards.
type Handler struct {
	// Arrived is told of an operation when the records of all that came before it
	// are there, in the order of arrival; of those that a group queued at once on a
	// communicator it is told of the first.
	Arrived func(*Operation)
	// Told is told of it when it is over, or its time is.
	Told func(*Operation)
	// Again is told of one that was told without having been seen to complete, once it
	// has been, or once it is the first that has not been, for a while. What is told of
	// it now takes the place of what was told before.
	Again func(*Operation)
}

// Advance says that all records that ended before now have been added, and tells
// the operations whose time has come. An end of time as now tells all.
func (t *Tracker) Advance(now ktime.Time, tell Handler) {
	if t.advanced.Sub(t.swept) >= t.settings.Timeout {
		t.sweep(t.advanced)
	}
	t.advanced = now
	t.tellArrived(now, tell.Arrived)
	for len(t.pending) > 0 && t.pending[0].due <= now {
		t.hand(t.pending.next(), tell)
	}
}

// hand tells an operation, for the first time or again.
func (t *Tracker) hand(o *Operation, to Handler) {
	told, first := to.Again, o.phase == untold
	if first {
		t.count(o)
		told = to.Told
	}
	o.phase, o.awaited, o.worth = over, false, o.worth || t.isWorth(o)
	if o.Completed == 0 && !o.Failed() && !o.Refused() {
		o.phase = pending
	}
	if told != nil {
		told(o)
	}
	if first {
		t.leave(o.meeting)
	}
}

func (t *Tracker) tellArrived(now ktime.Time, arrived func(*Operation)) {
	n := 0
	for n < len(t.arrived) && now.Sub(t.arrived[n].Enqueued) >= t.settings.Settle {
		switch o := t.arrived[n]; {
		case o.with != nil:
			o.Late = o.with.Late
		case arrived != nil:
			arrived(o)
		}
		n++
	}
	clear(t.arrived[:n])
	t.arrived = t.arrived[n:]
}

// leave forgets a meeting whose last rank has been told.
func (t *Tracker) leave(m *meeting) {
	if m == nil {
		return
	}
	if m.told++; m.complete() && m.told == len(m.ranks) {
		delete(t.meetings, m.key)
	}
}

func (t *Tracker) count(o *Operation) {
	t.stats.Operations++
	if !o.Communicator.Key.Known() || o.Communicator.Rank == Unknown {
		t.stats.Unidentified++
	}
	if o.Completed == 0 {
		t.stats.Incomplete++
	}
}

// patience is how many times Settings.Timeout an operation is remembered that was not
// seen to complete, so that it may be told again.
const patience = 4

// sweep forgets meetings that are over, groups whose end was lost, what was told and
// does not complete, the latest arrivals on communicators that have ended, and the waits
// of threads that have not waited lately.
func (t *Tracker) sweep(now ktime.Time) {
	t.swept = now
	for key, m := range t.meetings {
		if age := now.Sub(m.begun); age > patience*t.settings.Timeout || age > 2*t.settings.Timeout && !m.open() {
			delete(t.meetings, key)
		}
	}
	for thread, waits := range t.waits {
		if last := waits[len(waits)-1]; now.Sub(max(last.Wait.End, last.End)) > 2*t.settings.Timeout {
			delete(t.waits, thread)
		}
	}
	t.sweepGroups(now)
	t.sweepArrivals()
	t.sweepOpen(now)
}

// Worth reports whether an operation that is told is worth a span: it is sampled,
// failed or was cut short, its wait was long, its ranks on this host were far apart
// or do not do the same, or it was not seen to complete and is the first that was
// not on its communicator, or the latest. What was worth one when it was told first
// is so again.
func (t *Tracker) Worth(o *Operation) bool { return o.worth }

func (t *Tracker) isWorth(o *Operation) bool {
	switch {
	case o.Sampled, o.Failed(), o.Refused(), o.cut, o.Wait.Duration() >= t.settings.Slow:
		return true
	case o.meeting != nil && (o.meeting.torn || o.meeting.skew() >= t.settings.Slow):
		return true
	default:
		return o.Completed == 0 && (t.isFirst(o) || t.isLast(o))
	}
}
