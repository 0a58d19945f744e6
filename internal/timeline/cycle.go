package timeline

import (
	"cmp"
	"slices"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
)

// Cycle is one recorded dispatch cycle with everything recorded of its thread
// in it. It is immutable once emitted.
type Cycle struct {
	Process event.ProcessID // Start is 0 when the process's adoption was not seen
	Record  event.Cycle
	// Trees are the outermost calls that ended in the cycle, by start. The first
	// may have begun before it, where the cycle was opened inside a call.
	Trees []*Tree
	// OffCPU are the intervals outside of calls that ended in the cycle, by start.
	OffCPU []*event.OffCPU
	// Incomplete says that some of the cycle's trees or intervals are not here,
	// for MaxCycleTrees, MaxCycleOffCPU, or because they settled before the
	// thread was known to have cycles.
	Incomplete bool
}

// Thread returns the thread whose cycle this is.
func (c *Cycle) Thread() event.Thread { return c.Record.Task.Thread }

// heldBack is what a thread with cycles did since its latest recorded cycle: it
// waits for the record of the cycle that it belongs to.
type heldBack struct {
	dispatcher bool            // a cycle of the thread has been seen
	trees      []*Tree         // by end
	offCPU     []*event.OffCPU // outside of calls, by end
	dropped    ktime.Time      // latest end of what is not here any more
}

// Dispatches reports whether thread has dispatch cycles: its outermost calls are
// emitted with them only.
func (t *Timeline) Dispatches(thread event.Thread) bool {
	p := t.processes[thread.PID]
	return p != nil && p.threads[thread.TID] != nil && p.threads[thread.TID].cycles.dispatcher
}

func (t *Timeline) addCycle(c *event.Cycle) {
	p, th := t.admit(c.Task.Thread, c.Start, c.End)
	if th == nil {
		return
	}
	if !th.cycles.dispatcher {
		t.becomeDispatcher(p, th, c)
	}
	cycle := &Cycle{Process: p.id, Record: *c, Incomplete: th.cycles.dropped > c.Start}
	cycle.Trees, cycle.OffCPU = t.take(&th.cycles, c.Start, c.End)
	t.settle(settling{cycle: cycle})
}

// becomeDispatcher collects what is left of the first cycle of a thread: its
// trees that have not settled, and its intervals from the history.
func (t *Timeline) becomeDispatcher(p *process, th *thread, c *event.Cycle) {
	th.cycles.dispatcher = true
	th.cycles.dropped = t.settled
	for _, tree := range t.pending.takeTrees(th.id) {
		t.holdTree(th, tree)
	}
	for n := range th.history.size {
		if i := th.history.at(n); i.OffCPU != nil && i.OffCPU.Call == 0 && i.Process == p.id && i.End() > c.Start {
			t.holdOffCPU(th, i.OffCPU)
		}
	}
}

// take returns what ended in (start, end], and drops what ended before: no
// record of a cycle with it comes any more.
func (t *Timeline) take(h *heldBack, start, end ktime.Time) (trees []*Tree, offCPU []*event.OffCPU) {
	before, after := partition(h.trees, (*Tree).end, start, end)
	t.stats.TreesDiscarded += uint64(before)
	t.held -= after
	trees = slices.Clone(h.trees[before:after])
	h.trees = shift(h.trees, after)

	before, after = partition(h.offCPU, offCPUEnd, start, end)
	offCPU = slices.Clone(h.offCPU[before:after])
	t.shiftOffCPU(h, after)

	slices.SortStableFunc(trees, func(a, b *Tree) int { return cmp.Compare(a.Root.Call.Start, b.Root.Call.Start) })
	slices.SortStableFunc(offCPU, func(a, b *event.OffCPU) int { return cmp.Compare(a.Start, b.Start) })
	return trees, offCPU
}

func offCPUEnd(o *event.OffCPU) ktime.Time { return o.End }

// partition returns how many of held, which are by end, ended until start, and
// how many until end.
func partition[T any](held []T, endOf func(T) ktime.Time, start, end ktime.Time) (before, after int) {
	for after < len(held) && endOf(held[after]) <= end {
		if endOf(held[after]) <= start {
			before = after + 1
		}
		after++
	}
	return before, after
}

// shift drops the first n of held, so that they can be reclaimed.
func shift[T any](held []T, n int) []T {
	clear(held[:n])
	if n == len(held) {
		return held[:0]
	}
	return held[n:]
}

// holdTree keeps tree for its cycle. What came first makes room.
func (t *Timeline) holdTree(th *thread, tree *Tree) {
	h := &th.cycles
	full := len(h.trees) >= t.settings.MaxCycleTrees || t.held >= t.settings.MaxPending
	if full && len(h.trees) > 0 {
		t.dropTree(h)
	} else if full {
		h.dropped = max(h.dropped, tree.end())
		t.stats.TreesDropped++
		return
	}
	h.trees = append(h.trees, tree)
	t.held++
}

func (t *Timeline) dropTree(h *heldBack) {
	h.dropped = max(h.dropped, h.trees[0].end())
	h.trees = shift(h.trees, 1)
	t.held--
	t.stats.TreesDropped++
}

func (t *Timeline) holdOffCPU(th *thread, o *event.OffCPU) {
	h := &th.cycles
	full := len(h.offCPU) >= t.settings.MaxCycleOffCPU || t.heldWaits >= t.settings.MaxHeldOffCPU
	if full {
		t.stats.OffCPUDropped++
	}
	if full && len(h.offCPU) > 0 {
		h.dropped = max(h.dropped, h.offCPU[0].End)
		t.shiftOffCPU(h, 1)
	} else if full {
		h.dropped = max(h.dropped, o.End)
		return
	}
	h.offCPU = append(h.offCPU, o)
	t.heldWaits++
}

func (t *Timeline) shiftOffCPU(h *heldBack, n int) {
	h.offCPU = shift(h.offCPU, n)
	t.heldWaits -= n
}

// discardHeld gives up on what ended until cutoff: no cycle with it comes any more.
func (t *Timeline) discardHeld(h *heldBack, cutoff ktime.Time) {
	trees, _ := partition(h.trees, (*Tree).end, cutoff, cutoff)
	if trees > 0 {
		h.dropped = max(h.dropped, h.trees[trees-1].end())
	}
	t.stats.TreesDiscarded += uint64(trees)
	t.held -= trees
	h.trees = shift(h.trees, trees)

	offCPU, _ := partition(h.offCPU, offCPUEnd, cutoff, cutoff)
	if offCPU > 0 {
		h.dropped = max(h.dropped, h.offCPU[offCPU-1].End)
	}
	t.shiftOffCPU(h, offCPU)
}
