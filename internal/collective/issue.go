package collective

import (
	"container/heap"
	"hash/fnv"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
)

func (t *Tracker) addCollective(r *event.Collective) {
	if r.Serial == 0 {
		t.endGroup(r)
		return
	}
	key := commKey{r.Task.Thread.PID, r.Serial}
	c := t.communicators[key]
	if c == nil {
		t.stats.Unknown++
		return
	}
	if r.Captured {
		t.stats.Captured++
		return
	}
	own := *r
	o := &Operation{Collective: &own, Communicator: c}
	if o.Failed() {
		t.schedule(o, r.End)
		return
	}
	switch {
	case r.Operation > c.cut:
		t.open[key] = append(t.open[key], o)
	case r.Operation == c.cut: // its thread told it only now
		t.interrupt(o)
	}
	if r.Group != 0 {
		group := groupKey{r.Task.Thread, r.Group}
		t.groups[group] = append(t.groups[group], o)
		t.schedule(o, r.End.Add(t.settings.Timeout)) // should its group never end
		return
	}
	t.enqueue(o, r)
}

// endGroup puts the operations of a group on their GPU streams, in their order.
func (t *Tracker) endGroup(r *event.Collective) {
	group := groupKey{r.Task.Thread, r.Group}
	operations := t.groups[group]
	delete(t.groups, group)
	for _, o := range operations {
		if refused := r.Result != 0 && r.Result != o.Row().Benign; refused {
			o.Refusal = Refusal{At: r.End, Result: r.Result}
			t.schedule(o, r.End)
			continue
		}
		t.enqueue(o, r)
	}
}

// enqueue says that o was put on its GPU stream by the call of r: its own, or
// the end of its group.
func (t *Tracker) enqueue(o *Operation, r *event.Collective) {
	o.Enqueued = r.End
	o.AtLeast = r.Result != 0 || o.Result != 0
	o.Ledger, o.CycleStart, o.Launches = r.Ledger, r.CycleStart, r.Launches
	t.arrive(o)
	t.identify(o)
	t.arrived = append(t.arrived, o)
	t.schedule(o, o.Enqueued.Add(t.settings.Timeout))
}

// arrive compares o with the thread's operation before on the communicator. Those
// that a group queued at once arrive as one.
func (t *Tracker) arrive(o *Operation) {
	key := arrivalKey{o.Task.Thread, o.Serial}
	before := t.latest[key]
	switch {
	case before == nil:
		if len(t.latest) < t.settings.MaxThreads {
			t.latest[key] = &arrival{1, o}
		}
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

// identify brings o together with its other ranks on this host, and chooses whether
// it is sampled, as soon as it is known which operation of all ranks it is.
func (t *Tracker) identify(o *Operation) {
	key, ok := keyOf(o)
	if o.meeting != nil || !ok {
		return
	}
	o.Sampled = t.sampled(key)
	m := t.meetings[key]
	if m == nil {
		if len(t.meetings) >= t.settings.MaxMeetings {
			return
		}
		m = &meeting{key: key, begun: o.Enqueued}
		t.meetings[key] = m
	}
	m.join(o)
}

// sampled chooses operations by what all ranks know of them.
func (t *Tracker) sampled(key meetingKey) bool {
	if t.settings.SampleEvery <= 0 {
		return false
	}
	hash := fnv.New64a()
	hash.Write(key.communicator[:])
	hash.Write(number(uint64(int64(key.from))))
	hash.Write(number(uint64(int64(key.to))))
	hash.Write(number(key.number))
	return hash.Sum64()%uint64(t.settings.SampleEvery) == 0
}

// schedule has o told at a time, if it has not been yet. Where there is no room
// the one that is due first is lost.
func (t *Tracker) schedule(o *Operation, at ktime.Time) {
	o.due = at
	switch {
	case o.told:
		return
	case o.queued:
		heap.Fix(&t.pending, o.place)
		return
	case len(t.pending) >= t.settings.MaxOperations:
		t.pending.next().told = true
		t.stats.Evicted++
	}
	heap.Push(&t.pending, o)
}
