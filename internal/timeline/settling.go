package timeline

import (
	"cmp"
	"container/heap"
	"slices"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
)

// Handler receives what has settled. A nil field discards.
type Handler struct {
	Tree  func(*Tree)  // an outermost call of a thread without cycles
	Cycle func(*Cycle) // a recorded cycle, with the calls in it
}

// settling is a tree or a cycle that is held back until it settles.
type settling struct {
	tree  *Tree
	cycle *Cycle
}

func (s settling) end() ktime.Time {
	if s.tree != nil {
		return s.tree.end()
	}
	return s.cycle.Record.End
}

func (s settling) thread() event.Thread {
	if s.tree != nil {
		return s.tree.Thread()
	}
	return s.cycle.Thread()
}

// id orders what ended at the same time: outer calls have lower ids and come
// last, and cycles after all calls.
func (s settling) id() uint64 {
	if s.tree != nil {
		return s.tree.Root.Call.ID
	}
	return 0
}

func (s settling) handTo(h Handler) {
	switch {
	case s.tree != nil && h.Tree != nil:
		h.Tree(s.tree)
	case s.cycle != nil && h.Cycle != nil:
		h.Cycle(s.cycle)
	}
}

// before orders by end; the rest makes the order total.
func (s settling) before(u settling) bool {
	a, b := s.thread(), u.thread()
	return cmp.Or(
		cmp.Compare(s.end(), u.end()),
		cmp.Compare(a.PID, b.PID),
		cmp.Compare(a.TID, b.TID),
		cmp.Compare(u.id(), s.id()),
	) < 0
}

// pendingQueue is a heap (container/heap), the earliest end first.
type pendingQueue []settling

func (p pendingQueue) Len() int           { return len(p) }
func (p pendingQueue) Less(i, j int) bool { return p[i].before(p[j]) }
func (p pendingQueue) Swap(i, j int)      { p[i], p[j] = p[j], p[i] }
func (p *pendingQueue) Push(s any)        { *p = append(*p, s.(settling)) }

func (p *pendingQueue) Pop() any {
	last := len(*p) - 1
	s := (*p)[last]
	(*p)[last] = settling{}
	*p = (*p)[:last]
	return s
}

// takeTrees removes and returns the trees of thread, by end.
func (p *pendingQueue) takeTrees(thread event.Thread) []*Tree {
	var taken []*Tree
	kept := (*p)[:0]
	for _, s := range *p {
		if s.tree != nil && s.thread() == thread {
			taken = append(taken, s.tree)
			continue
		}
		kept = append(kept, s)
	}
	clear((*p)[len(kept):])
	*p = kept
	heap.Init(p)
	slices.SortFunc(taken, func(a, b *Tree) int {
		return cmp.Or(cmp.Compare(a.end(), b.end()), cmp.Compare(b.Root.Call.ID, a.Root.Call.ID))
	})
	return taken
}
