package group

import (
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/process"
)

// View is what is known of processes at one time. It is read only, once it has
// been made by NewView.
type View struct {
	ViewSettings
	tree   tree
	byPID  map[hostPID]*process.Traced
	byOwn  map[int64][]*process.Traced
	allows map[Evidence]bool
}

type hostPID struct {
	host string
	pid  int64
}

// ViewSettings is what a View is made of.
type ViewSettings struct {
	// Traced are all traced processes.
	Traced []*process.Traced
	// HostID is the machine that Relatives are of; empty where none can be looked at.
	HostID   string
	HostName string
	// Relatives are the traced processes of this machine and those related to them.
	Relatives process.Relatives
	// Startups are the sets of processes that vLLM's start-up spans tell.
	Startups *Startups
	// Evidence is what may be used.
	Evidence []Evidence
}

// NewView returns a View.
func NewView(settings ViewSettings) *View {
	v := &View{
		ViewSettings: settings,
		tree:         tree{relatives: settings.Relatives},
		byPID:        make(map[hostPID]*process.Traced),
		byOwn:        make(map[int64][]*process.Traced),
		allows:       make(map[Evidence]bool),
	}
	for _, t := range settings.Traced {
		v.byPID[hostPID{t.HostID, t.PID}] = t
		v.byOwn[t.OwnPID()] = append(v.byOwn[t.OwnPID()], t)
	}
	for _, e := range settings.Evidence {
		v.allows[e] = true
	}
	return v
}

// oneHost reports whether all traced processes are on one machine.
func (v *View) oneHost() bool {
	for _, t := range v.Traced {
		if t.HostID != v.Traced[0].HostID {
			return false
		}
	}
	return len(v.Traced) > 0
}

// tracedOf returns the traced processes of this machine that descend from pid,
// itself included.
func (v *View) tracedOf(pid int64) []*process.Traced {
	var found []*process.Traced
	for _, t := range v.Traced {
		if v.seen(t) && v.tree.within(t.PID, pid) {
			found = append(found, t)
		}
	}
	return found
}

// servedBy returns the traced processes that serve a process of this machine:
// those that descend from it, and where none does, those of the same server.
func (v *View) servedBy(pid int64) []*process.Traced {
	if found := v.tracedOf(pid); len(found) > 0 {
		return found
	}
	if root := v.tree.root(pid); root != pid {
		return v.tracedOf(root)
	}
	return nil
}

// hostNameOf returns what a traced process takes its host to be called.
func (v *View) hostNameOf(t *process.Traced) string {
	if v.seen(t) {
		if name := v.tree.relatives[t.PID].HostName; name != "" {
			return name
		}
	}
	return t.HostName
}

// filter returns the traced processes for which keep is true.
func (v *View) filter(keep func(*process.Traced) bool) []*process.Traced {
	var kept []*process.Traced
	for _, t := range v.Traced {
		if keep(t) {
			kept = append(kept, t)
		}
	}
	return kept
}
