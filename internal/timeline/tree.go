package timeline

import (
	"github.com/gpucause/gpucause/internal/event"
)

// Tree is one outermost call with everything recorded inside it. It is
// immutable once emitted.
type Tree struct {
	Process event.ProcessID // Start is 0 when the process's adoption was not seen
	Root    *Node
	Orphan  bool // Root was enclosed in a call whose record never came
}

// Node is one call with what happened directly inside it, in order of time.
type Node struct {
	Call     *event.Call
	Children []*Node
	OffCPU   []*event.OffCPU
	// Missing counts the members of Children and OffCPU that belong to a nested
	// call whose record never came: this call encloses them for certain, but not directly.
	Missing uint32
}

// Thread returns the thread whose call this is.
func (t *Tree) Thread() event.Thread { return t.Root.Call.Task.Thread }

// before orders trees by end; the rest makes the order total.
func (t *Tree) before(u *Tree) bool {
	a, b := t.Root.Call, u.Root.Call
	switch {
	case a.End != b.End:
		return a.End < b.End
	case a.Task.Thread.PID != b.Task.Thread.PID:
		return a.Task.Thread.PID < b.Task.Thread.PID
	case a.Task.Thread.TID != b.Task.Thread.TID:
		return a.Task.Thread.TID < b.Task.Thread.TID
	default:
		return a.ID > b.ID
	}
}

// pendingTrees is a heap (container/heap), the earliest end first.
type pendingTrees []*Tree

func (p pendingTrees) Len() int           { return len(p) }
func (p pendingTrees) Less(i, j int) bool { return p[i].before(p[j]) }
func (p pendingTrees) Swap(i, j int)      { p[i], p[j] = p[j], p[i] }
func (p *pendingTrees) Push(tree any)     { *p = append(*p, tree.(*Tree)) }

func (p *pendingTrees) Pop() any {
	last := len(*p) - 1
	tree := (*p)[last]
	(*p)[last] = nil
	*p = (*p)[:last]
	return tree
}
