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
		t.follow(o)
	case r.Operation == c.cut: // its thread told it only now
		t.interrupt(o)
	}
	if r.Group != 0 {
		t.enterGroup(o)
		t.schedule(o, r.End.Add(t.settings.Timeout)) // should its group never end
		return
	}
	t.enqueue(o, r)
}

// enqueue says that o was put on its GPU stream during the call of r: its own, or
// the end of its group.
func (t *Tracker) enqueue(o *Operation, r *event.Collective) {
	o.Entered, o.Enqueued = r.Start, r.End
	o.AtLeast = r.Result != 0 || o.Result != 0
	o.Ledger, o.CycleStart, o.Launches = r.Ledger, r.CycleStart, r.Launches
	t.arrive(o)
	t.identify(o)
	t.arrived = append(t.arrived, o)
	t.schedule(o, o.Enqueued.Add(t.settings.Timeout))
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
			t.stats.NoRoom.Meetings++
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

// schedule has o told at a time, if there is something to tell. Where there is no room
// the one that is due first is lost.
func (t *Tracker) schedule(o *Operation, at ktime.Time) {
	if o.phase == over || o.phase == pending && o.Completed == 0 && !o.awaited {
		return
	}
	o.due = at
	switch {
	case o.queued:
		heap.Fix(&t.pending, o.place)
		return
	case len(t.pending) >= t.settings.MaxOperations:
		t.pending.next().phase = over
		t.stats.Evicted++
	}
	heap.Push(&t.pending, o)
}
