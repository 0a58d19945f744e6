package collective

import (
	"slices"

	"github.com/gpucause/gpucause/internal/ktime"
)

// openOperations are the operations of a communicator that are not complete, in the
// order of their numbers, which is that in which they complete.
//
// Invariant: there is one at least.
type openOperations struct {
	list      []*Operation
	forgotten bool // there are older ones that are not remembered
}

func keyOfComm(o *Operation) commKey { return commKey{o.Task.Thread.PID, o.Serial} }

// follow remembers o until it completes.
func (t *Tracker) follow(o *Operation) {
	if t.followed >= t.settings.MaxOpen {
		t.makeRoom()
	}
	t.followed++
	key := keyOfComm(o)
	open := t.open[key]
	if open == nil {
		open = &openOperations{}
		t.open[key] = open
	}
	open.list = append(open.list, o)
}

// makeRoom forgets the older half of the most open operations that a communicator has.
func (t *Tracker) makeRoom() {
	var longest commKey
	most := 0
	for key, open := range t.open {
		if len(open.list) > most {
			longest, most = key, len(open.list)
		}
	}
	n := (most + 1) / 2
	t.stats.NoRoom.Open += uint64(n)
	t.forget(longest, n)
}

// forget forgets the n first open operations of a communicator, at least one, though
// they are not complete.
func (t *Tracker) forget(key commKey, n int) {
	t.open[key].forgotten = true
	clear(t.shift(key, n))
}

// unfollow forgets o, which is never going to complete.
func (t *Tracker) unfollow(o *Operation) {
	key := keyOfComm(o)
	open := t.open[key]
	if open == nil {
		return
	}
	if i := slices.Index(open.list, o); i >= 0 {
		open.list = slices.Delete(open.list, i, i+1)
		t.followed--
	}
	if len(open.list) == 0 {
		delete(t.open, key)
	}
}

// shift takes the n first open operations of a communicator. The result is valid
// until the next one is followed.
func (t *Tracker) shift(key commKey, n int) []*Operation {
	open := t.open[key]
	t.followed -= n
	first := open.list[:n:n]
	if open.list = open.list[n:]; len(open.list) == 0 {
		delete(t.open, key)
	}
	return first
}

// complete marks the operations of a communicator up to a number as complete,
// and returns them in their order.
func (t *Tracker) complete(key commKey, until uint32, at ktime.Time) []*Operation {
	if t.communicators[key] == nil {
		t.stats.Unknown++
		return nil
	}
	open := t.open[key]
	if open == nil {
		return nil
	}
	n := 0
	for n < len(open.list) && open.list[n].Operation <= until {
		o := open.list[n]
		o.Completed = at
		if o.phase == pending {
			t.stats.Late++
		}
		t.schedule(o, at.Add(t.settings.Settle))
		n++
	}
	if n == 0 {
		return nil
	}
	open.forgotten = false
	completed := t.shift(key, n)
	t.await(open, at)
	return completed
}

// await has the first open operation told again, if it was told while others were
// before it, and does not complete either.
func (t *Tracker) await(open *openOperations, now ktime.Time) {
	if len(open.list) == 0 {
		return
	}
	if first := open.list[0]; first.phase == pending && !first.worth {
		first.awaited = true
		t.schedule(first, now.Add(t.settings.Timeout))
	}
}

// isFirst reports whether o is the operation that its communicator is waiting for:
// the first that is not complete.
func (t *Tracker) isFirst(o *Operation) bool {
	open := t.open[keyOfComm(o)]
	return open != nil && open.list[0] == o && !open.forgotten
}

// isLast reports whether o is the latest operation on a communicator that is there.
func (t *Tracker) isLast(o *Operation) bool {
	open := t.open[keyOfComm(o)]
	return open != nil && open.list[len(open.list)-1] == o
}

// cut says that the operations of a communicator up to a number complete no more.
// The first and the latest of those that were open are worth a span.
func (t *Tracker) cut(key commKey, until uint32) {
	if c := t.communicators[key]; c != nil {
		c.cut = until
	}
	if open := t.open[key]; open != nil {
		t.interrupt(open.list[0])
		t.interrupt(open.list[len(open.list)-1])
	}
	t.drop(key)
}

// interrupt says that o was the first or the latest open operation when its
// communicator was cut short.
func (t *Tracker) interrupt(o *Operation) {
	if !o.cut {
		o.cut = true
		t.remember(o, o.Task.Thread)
	}
}

// drop forgets the open operations of a communicator. They are told when their time
// is over.
func (t *Tracker) drop(key commKey) {
	if open := t.open[key]; open != nil {
		t.followed -= len(open.list)
		delete(t.open, key)
	}
}

// sweepOpen forgets what was told a while ago and does not complete.
func (t *Tracker) sweepOpen(now ktime.Time) {
	for key, open := range t.open {
		n := 0
		for n < len(open.list) && open.list[n].phase != untold && now.Sub(open.list[n].End) > patience*t.settings.Timeout {
			n++
		}
		if n > 0 {
			t.forget(key, n)
		}
	}
}
