package procfs

import (
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/process"
)

// Relatives returns the processes with the given numbers and those related to
// them: ancestors, and what descends from these, the nearest first. Processes
// that are gone or cannot be seen are left out. It reports whether that is all
// there are; otherwise the ones beyond the bounds are missing.
func (p Proc) Relatives(of []int64) (process.Relatives, bool) {
	w := walk{proc: p, networks: p.networks(), found: make(process.Relatives), all: true}
	for _, pid := range of {
		w.room = min(maxPerProcess, maxRelatives-len(w.found))
		w.family(pid)
	}
	return w.found, w.all
}

// walk looks through families. What was found is not looked at again.
type walk struct {
	proc     Proc
	networks *networks
	found    process.Relatives
	expanded map[int64]bool
	listed   map[int64][]int64 // by parent; nil unless it was needed
	room     int
	all      bool // nothing was left out for want of room
}

// family adds a process, what descends from it, then its parent and what
// descends from that, and so on. It stops below the first process, which is
// everybody's ancestor.
func (w *walk) family(pid int64) {
	for range maxAncestors {
		r := w.add(pid)
		if r == nil {
			return
		}
		w.descend(pid)
		if r.ParentPID <= 1 {
			return
		}
		pid = r.ParentPID
	}
}

// add returns a process, which has been found already or is now.
func (w *walk) add(pid int64) *process.Relative {
	if r, ok := w.found[pid]; ok {
		return r
	}
	if w.room <= 0 {
		w.all = false
		return nil
	}
	r, ok := w.proc.describe(pid, w.networks)
	if !ok {
		return nil
	}
	w.room--
	w.found[pid] = r
	return r
}

// descend adds what descends from a process, the nearest first.
func (w *walk) descend(pid int64) {
	if w.expanded == nil {
		w.expanded = make(map[int64]bool)
	}
	for queue := []int64{pid}; len(queue) > 0; queue = queue[1:] {
		next := queue[0]
		if w.expanded[next] {
			continue
		}
		w.expanded[next] = true
		for _, child := range w.children(next) {
			if w.add(child) != nil {
				queue = append(queue, child)
			}
		}
	}
}

// children returns the children of a process. A Linux kernel that does not keep
// them by parent has them looked up among all processes, once for all families.
func (w *walk) children(of int64) []int64 {
	if w.listed == nil {
		if children, ok := w.proc.children(of); ok {
			return children
		}
		w.listed = w.proc.byParent()
	}
	return w.listed[of]
}
