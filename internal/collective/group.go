package collective

import (
	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
)

// group are the operations in the outermost group of a thread, which has not ended. A
// thread is in one at most.
type group struct {
	number     uint64
	operations []*Operation
}

// enterGroup has o wait for the end of its group. Where its thread is in another one,
// the end of that was lost.
func (t *Tracker) enterGroup(o *Operation) {
	thread := o.Task.Thread
	g := t.groups[thread]
	if g != nil && g.number != o.Group {
		t.loseGroup(thread)
		g = nil
	}
	if t.grouped >= t.settings.MaxOpen || g == nil && len(t.groups) >= t.settings.MaxThreads {
		t.stats.NoRoom.Groups++
		return
	}
	if g == nil {
		g = &group{number: o.Group}
		t.groups[thread] = g
	}
	g.operations = append(g.operations, o)
	t.grouped++
}

// leaveGroup forgets the group that a thread is in, and returns its operations.
func (t *Tracker) leaveGroup(thread event.Thread) []*Operation {
	g := t.groups[thread]
	if g == nil {
		return nil
	}
	delete(t.groups, thread)
	t.grouped -= len(g.operations)
	return g.operations
}

// loseGroup forgets a group whose end was lost.
func (t *Tracker) loseGroup(thread event.Thread) {
	t.stats.NoRoom.Groups += uint64(len(t.leaveGroup(thread)))
}

// endGroup puts the operations of a group on their GPU streams, in their order.
func (t *Tracker) endGroup(r *event.Collective) {
	if g := t.groups[r.Task.Thread]; g == nil || g.number != r.Group {
		return
	}
	for _, o := range t.leaveGroup(r.Task.Thread) {
		o.Entered = r.Start
		if refused := r.Result != 0 && r.Result != o.Row().Benign; refused {
			o.Refusal = Refusal{At: r.End, Result: r.Result}
			t.unfollow(o)
			t.schedule(o, r.End)
			continue
		}
		t.enqueue(o, r)
	}
}

// sweepGroups forgets groups whose end was lost.
func (t *Tracker) sweepGroups(now ktime.Time) {
	for thread, g := range t.groups {
		if now.Sub(g.operations[len(g.operations)-1].End) > 2*t.settings.Timeout {
			t.loseGroup(thread)
		}
	}
}
