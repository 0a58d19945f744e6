package collective

import (
	"slices"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
	"github.com/gpucause/gpucause/internal/probe"
)

func (t *Tracker) addCompletion(r *event.Completion) {
	var latest *Operation
	covered := 0
	for _, completed := range r.Completed {
		if completed.Serial == 0 {
			continue
		}
		covered++
		if o := t.complete(commKey{r.Task.Thread.PID, completed.Serial}, completed.Operation, r.End); o != nil {
			if latest == nil || o.Enqueued > latest.Enqueued {
				latest = o
			}
		}
	}
	if latest == nil {
		return
	}
	if row := probe.Get(r.Probe); row != nil && row.Edge.Synchronises() {
		t.wait(latest, Wait{Thread: r.Task.Thread, Start: r.Start, End: r.End})
	} else if covered == 1 {
		latest.NotBefore = r.Pending // that what was pending was this one is certain only where there is no other
	}
}

// complete marks the operations of a communicator up to a number as complete,
// and returns the latest of them.
func (t *Tracker) complete(key commKey, until uint32, at ktime.Time) *Operation {
	if t.communicators[key] == nil {
		t.stats.Unknown++
		return nil
	}
	open := t.open[key]
	n := 0
	for n < len(open) && open[n].Operation <= until {
		open[n].Completed = at
		if open[n].told {
			t.stats.Late++
		}
		t.schedule(open[n], at.Add(t.settings.Settle))
		n++
	}
	if n == 0 {
		return nil
	}
	latest := open[n-1]
	clear(open[:n])
	t.open[key] = open[n:]
	if n == len(open) {
		delete(t.open, key)
	}
	return latest
}

// wait gives a synchronisation to the operation that it waited for.
func (t *Tracker) wait(o *Operation, w Wait) {
	o.Wait = w
	waits := append(t.waits[w.Thread], o)
	if len(waits) > t.settings.WaitsPerThread {
		waits = slices.Delete(waits, 0, len(waits)-t.settings.WaitsPerThread)
	}
	t.waits[w.Thread] = waits
}

// LongestWait returns the operation that a thread waited for longest in
// [from, to], if it waited for one.
func (t *Tracker) LongestWait(thread event.Thread, from, to ktime.Time) (*Operation, bool) {
	var longest *Operation
	for _, o := range t.waits[thread] {
		if o.Wait.Start < from || o.Wait.End > to {
			continue
		}
		if longest == nil || o.Wait.Duration() > longest.Wait.Duration() {
			longest = o
		}
	}
	return longest, longest != nil
}
