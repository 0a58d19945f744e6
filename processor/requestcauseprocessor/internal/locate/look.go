package locate

import (
	"time"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/group"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/process"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/window"
)

// relatives is what was read of this machine's processes.
type relatives struct {
	all    process.Relatives
	looked window.Time // 0: not yet
	seen   uint64      // of Known.Changes, then
	ended  map[int64]window.Time
}

// update makes the view of now: anew where traced processes came or went, and
// from time to time where this machine's processes may have. What rests on the
// old one is decided again.
func (l *Locator) update(now window.Time) {
	changed := l.view == nil || l.viewed != l.known.Changes()
	looks := l.looks(changed, now)
	if !changed && !looks {
		return
	}
	traced, changes := l.known.Traced()
	if looks {
		l.look(traced, now)
		l.relatives.seen = changes
	}
	l.viewed = changes
	l.view = group.NewView(group.ViewSettings{
		Traced: traced, HostID: l.settings.HostID, HostName: l.settings.HostName,
		Relatives: l.relatives.all, Startups: l.startups, Evidence: l.settings.Evidence,
	})
	clear(l.decisions)
}

// looks reports whether it is time to look at the machine's processes.
func (l *Locator) looks(changed bool, now window.Time) bool {
	if l.procs == nil || l.settings.HostID == "" {
		return false
	}
	age := time.Duration(now - l.relatives.looked)
	return l.relatives.looked == 0 || age >= lookEvery || age < 0 || (changed || l.missing()) && age >= lookPause
}

// missing reports whether a traced process came after the latest look.
func (l *Locator) missing() bool { return l.viewed != l.relatives.seen }

// look reads the traced processes of this machine and their relatives.
func (l *Locator) look(traced []*process.Traced, now window.Time) {
	var local []int64
	for _, t := range traced {
		if t.HostID == l.settings.HostID {
			local = append(local, t.PID)
		}
	}
	l.relatives.replace(l.procs.Relatives(local), now)
	l.relatives.looked = now
	l.stats.Looks++
	l.forgetPeers()
}

// replace takes over what was found, and keeps for a time what is gone.
func (r *relatives) replace(found process.Relatives, now window.Time) {
	ended := make(map[int64]window.Time)
	for pid, old := range r.all {
		if found[pid] != nil {
			continue
		}
		at, before := r.ended[pid]
		if !before {
			at = now
		}
		if now.Add(-remember) <= at {
			found[pid], ended[pid] = old, at
		}
	}
	r.all, r.ended = found, ended
}

// forgetPeers forgets whose connections are whose, but for those of processes
// that have ended, of which it could not be found again.
func (l *Locator) forgetPeers() {
	for addr, p := range l.peers {
		r := l.relatives.all[p.PID]
		_, ended := l.relatives.ended[p.PID]
		if !ended || r == nil || r.Start != p.start {
			delete(l.peers, addr)
		}
	}
}
