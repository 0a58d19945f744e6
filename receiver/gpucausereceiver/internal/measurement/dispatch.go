package measurement

import (
	"cmp"
	"maps"
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
)

// dispatchSeries is the ledger of one dispatcher or, under thread 0, of all
// that have no room of their own.
//
// Invariant: a dispatcher's states sum to at minus start, as long as the wall
// clock is not adjusted.
type dispatchSeries struct {
	start  pcommon.Timestamp
	at     pcommon.Timestamp // up to when the ledger was read, which is not when the snapshot was taken
	time   event.Ledger
	cycles histogram
}

func (s *dispatchSeries) add(sample *event.LedgerSample, offset ktime.Offset) {
	s.at = max(s.at, pcommon.Timestamp(offset.UnixNano(sample.At)))
	for state, d := range &sample.Time {
		s.time[state] += d
	}
	s.cycles.add(&sample.Cycles)
}

// stallKey names a series of stalls. Thread 0 is of dispatchers whose own series
// have ended, an empty cause the overflow series.
type stallKey struct {
	thread event.TID
	cause  string
}

func compareStalls(a, b stallKey) int {
	return cmp.Or(cmp.Compare(a.thread, b.thread), cmp.Compare(a.cause, b.cause))
}

type stallSeries struct {
	start pcommon.Timestamp
	count uint64
}

// stall is what AddStall was told. The zero value is what there was no room for.
type stall struct {
	process event.ProcessID
	task    event.Task
	cause   string
}

// AddStall counts a stalled dispatch cycle of a dispatcher, whether or not it
// becomes a trace, as of the next [Aggregator.Add]. cause is a value of stall.cause.
func (a *Aggregator) AddStall(process event.ProcessID, task event.Task, cause string) {
	s := stall{process: process, task: task, cause: cause}
	if _, ok := a.stalls[s]; !ok && len(a.stalls) >= a.settings.MaxSeries {
		s = stall{}
		a.overflowed++
	}
	a.stalls[s]++
}

func (a *addition) dispatch() {
	for i := range a.snapshot.Ledger {
		sample := &a.snapshot.Ledger[i]
		p := a.process(sample.Process)
		// What the sample covers ends when it was read.
		begin := sample.At.Add(-sample.Time.Total())
		fresh := dispatchSeries{start: pcommon.Timestamp(a.offset.UnixNano(begin))}
		seriesAt(a, p, p.dispatch, p.seriesThread(sample.Task.Thread.TID), fresh).add(sample, a.offset)
	}
}

func (a *addition) judged() {
	for _, s := range slices.SortedFunc(maps.Keys(a.stalls), compareJudged) {
		p := a.process(s.process)
		key := stallKey{thread: p.seriesThread(s.task.Thread.TID), cause: s.cause}
		seriesAt(a, p, p.stalls, key, stallSeries{start: a.start(a.at)}).count += a.stalls[s]
	}
	clear(a.stalls)
}

// compareJudged puts stalls in an order that depends on nothing else, because
// the first ones get what room there is.
func compareJudged(a, b stall) int {
	return cmp.Or(
		compareProcesses(a.process, b.process),
		cmp.Compare(a.task.Thread.TID, b.task.Thread.TID),
		cmp.Compare(a.cause, b.cause),
	)
}

func (w *writer) writeDispatch(tid event.TID, s *dispatchSeries) {
	at := period{s.start, s.at}
	for state, d := range s.time {
		if d == 0 {
			continue
		}
		point := w.number(dispatchTime, at)
		point.SetDoubleValue(d.Seconds())
		point.Attributes().PutStr(keyDispatchState, event.LedgerState(state).String())
		w.putDispatcher(point.Attributes(), tid)
	}
	if s.cycles.count > 0 {
		point := w.histogram(dispatchCycleDuration, at)
		s.cycles.copyTo(point)
		w.putDispatcher(point.Attributes(), tid)
	}
}

func (w *writer) writeStalls(key stallKey, s *stallSeries) {
	attributes := intPoint(&w.scope, dispatchStalls, period{s.start, w.end}, s.count)
	if key.cause == "" {
		attributes.PutBool(keyOverflow, true)
		return
	}
	attributes.PutStr(keyStallCause, key.cause)
	w.putThread(attributes, key.thread)
}

// putDispatcher names the dispatcher; 0 is the overflow series.
func (w *writer) putDispatcher(attributes pcommon.Map, tid event.TID) {
	if tid == 0 {
		attributes.PutBool(keyOverflow, true)
		return
	}
	w.putThread(attributes, tid)
}
