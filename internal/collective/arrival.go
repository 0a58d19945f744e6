package collective

import "github.com/gpucause/gpucause/internal/event"

// arrivals are the latest arrivals of threads on communicators of their process.
type arrivals struct {
	of    map[event.Thread]map[event.Serial]*arrival
	count int // of all threads
}

// arrival is a thread's latest one on a communicator.
type arrival struct {
	count uint64
	*Operation
}

// arrive compares o with the thread's operation before on the communicator. Those
// that a group queued at once arrive as one.
func (t *Tracker) arrive(o *Operation) {
	before := t.arrivals.of[o.Task.Thread][o.Serial]
	switch {
	case before == nil:
		t.beginArrivals(o)
		return
	case before.Enqueued == o.Enqueued:
		o.with, o.Previous, o.Arrival, o.Arrivals = before.Operation, before.Previous, before.Arrival, before.Arrivals
		return
	case before.Enqueued < o.Enqueued:
		o.Previous = before.Enqueued
		for state := range o.Arrival {
			o.Arrival[state] = max(0, o.Ledger[state]-before.Ledger[state])
		}
	}
	before.count++
	before.Operation, o.Arrivals = o, before.count
}

// beginArrivals remembers the first arrival of a thread on a communicator.
func (t *Tracker) beginArrivals(o *Operation) {
	if t.arrivals.count >= t.settings.MaxThreads {
		t.stats.NoRoom.Arrivals++
		return
	}
	of := t.arrivals.of[o.Task.Thread]
	if of == nil {
		of = make(map[event.Serial]*arrival)
		t.arrivals.of[o.Task.Thread] = of
	}
	of[o.Serial] = &arrival{1, o}
	t.arrivals.count++
}

// forget forgets the arrivals of a thread.
func (a *arrivals) forget(thread event.Thread) {
	a.count -= len(a.of[thread])
	delete(a.of, thread)
}

// sweepArrivals forgets those on communicators that have ended.
func (t *Tracker) sweepArrivals() {
	for thread, of := range t.arrivals.of {
		for serial := range of {
			if t.communicators[commKey{thread.PID, serial}] == nil {
				delete(of, serial)
				t.arrivals.count--
			}
		}
		if len(of) == 0 {
			delete(t.arrivals.of, thread)
		}
	}
}
