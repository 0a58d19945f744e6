package collective

import (
	"slices"
	"time"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
	"github.com/gpucause/gpucause/internal/probe"
)

func (t *Tracker) addCompletion(r *event.Completion) {
	var completed []*Operation
	covered := 0
	for _, c := range r.Completed {
		if c.Serial == 0 {
			continue
		}
		covered++
		completed = append(completed, t.complete(commKey{r.Task.Thread.PID, c.Serial}, c.Operation, r.End)...)
	}
	if len(completed) == 0 {
		return
	}
	if row := probe.Get(r.Probe); row != nil && row.Edge.Synchronises() {
		wait := Wait{Thread: r.Task.Thread, Start: r.Start, End: r.End}
		o := awaited(completed, wait)
		o.Wait = wait
		t.remember(o, wait.Thread)
	} else if covered == 1 {
		latest(completed).Pending = r.Pending // of several communicators it would say too little of each
	}
}

// latest returns the operation that was queued last, of several the last.
func latest(operations []*Operation) *Operation {
	return slices.MaxFunc(operations, func(a, b *Operation) int {
		if a.Enqueued <= b.Enqueued {
			return -1
		}
		return 1
	})
}

// awaited returns the operation that a synchronisation waited for: of those that
// it covers the one that was queued last. What a group queued at once is done at
// once; then it is the one whose other ranks came last.
func awaited(operations []*Operation, w Wait) *Operation {
	found := latest(operations)
	if found.Group == 0 {
		return found
	}
	longest, _ := found.peerWait(w)
	for _, o := range operations {
		if o.Group != found.Group || o.Enqueued != found.Enqueued {
			continue
		}
		if wait, known := o.peerWait(w); known && wait > longest {
			found, longest = o, wait
		}
	}
	return found
}

// remember keeps an operation that a thread waited for: who asks for it asks when
// the dispatch cycle is explained, many waits later.
func (t *Tracker) remember(o *Operation, thread event.Thread) {
	waits, known := t.waits[thread]
	if !known && len(t.waits) >= t.settings.MaxThreads {
		t.stats.NoRoom.Waits++
		return
	}
	if waits = append(waits, o); len(waits) >= 2*t.settings.WaitsPerThread {
		waits = slices.Delete(waits, 0, len(waits)-t.settings.WaitsPerThread)
	}
	t.waits[thread] = waits
}

// LongestWait returns the operation that a thread waited for longest in
// [from, to], if it waited for one.
func (t *Tracker) LongestWait(thread event.Thread, from, to ktime.Time) (*Operation, bool) {
	var found *Operation
	var longest time.Duration
	for _, o := range t.waits[thread] {
		if wait := o.waitWithin(from, to); wait > longest {
			found, longest = o, wait
		}
	}
	return found, found != nil
}

// waitWithin returns how long the operation was waited for in [from, to]. Of one
// that was cut short it is not known when the wait was over: at most at to.
func (o *Operation) waitWithin(from, to ktime.Time) time.Duration {
	if o.cut && o.Enqueued >= from && o.Enqueued <= to {
		return to.Sub(o.Enqueued)
	}
	if o.Wait.Start < from || o.Wait.End > to {
		return 0
	}
	return o.Wait.Duration()
}
