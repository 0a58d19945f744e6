package group

import (
	"slices"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/process"
)

// maxAncestors bounds a climb through a tree that a process may have made up.
const maxAncestors = 64

// launchers start processes that belong together on behalf of others. A server
// that lets one start its workers is not their ancestor.
var launchers = []string{"raylet"}

// tree is the processes of this machine by descent.
type tree struct {
	relatives process.Relatives
}

// root returns the process on top of the server that pid is of: the highest
// ancestor that runs the same executable in the same control group, or a
// launcher above. An API server and its engines have the same root whether one
// is the other's parent or a third process is that of both.
func (t tree) root(pid int64) int64 {
	at, ok := t.relatives[pid]
	if !ok {
		return pid
	}
	for range maxAncestors {
		parent, ok := t.relatives[at.ParentPID]
		if !ok {
			break
		}
		if slices.Contains(launchers, parent.Command) {
			return parent.PID
		}
		if !sameServer(parent, at) {
			break
		}
		at = parent
	}
	return at.PID
}

func sameServer(parent, child *process.Relative) bool {
	return parent.PID > 1 && parent.Executable != "" && parent.Executable == child.Executable &&
		parent.ControlPath == child.ControlPath
}

// within reports whether pid is ancestor or descends from it.
func (t tree) within(pid, ancestor int64) bool {
	for range maxAncestors {
		if pid == ancestor {
			return true
		}
		at, ok := t.relatives[pid]
		if !ok || at.ParentPID == pid {
			return false
		}
		pid = at.ParentPID
	}
	return false
}
