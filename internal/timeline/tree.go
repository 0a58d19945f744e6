package timeline

import (
	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
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

func (t *Tree) end() ktime.Time { return t.Root.Call.End }
