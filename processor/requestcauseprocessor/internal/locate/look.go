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
	none   bool        // then there was nothing to look at
	ended  map[int64]window.Time
}

// Look looks at the traced processes of this machine and their relatives, where
// it is time to. It is for one goroutine, beside those that call the other
// methods: these do not wait for it.
func (l *Locator) Look(now window.Time) {
	of, seen, due := l.dueLook(now)
	if !due {
		return
	}
	found, all := l.procs.Relatives(of)
	l.mu.Lock()
	defer l.mu.Unlock()
	if !all {
		l.stats.LooksCut++
	}
	l.relatives.replace(found, now)
	l.relatives.looked, l.relatives.seen = now, seen
	l.stats.Looks++
	l.forgetPeers()
	l.makeView()
}

// dueLook returns which processes to look at, and for which number of changes,
// if it is time to.
func (l *Locator) dueLook(now window.Time) (of []int64, seen uint64, due bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.procs == nil || l.settings.HostID == "" || !l.relatives.due(l.known.Changes(), now) {
		return nil, 0, false
	}
	traced, seen := l.known.Traced()
	for _, t := range traced {
		if t.HostID == l.settings.HostID {
			of = append(of, t.PID)
		}
	}
	if l.relatives.none = len(of) == 0; l.relatives.none {
		l.relatives.seen = seen
	}
	return of, seen, len(of) > 0
}

// due reports whether what was read is too old: after a while in any case, and
// sooner where traced processes have come or gone.
func (r *relatives) due(changes uint64, now window.Time) bool {
	if r.none {
		return r.seen != changes
	}
	age := time.Duration(now - r.looked)
	return r.looked == 0 || age < 0 || age >= lookEvery || r.seen != changes && age >= lookPause
}

// update makes the view anew where traced processes have come or gone.
func (l *Locator) update() {
	if l.view == nil || l.viewed != l.known.Changes() {
		l.makeView()
	}
}

// makeView makes the view of now. What rests on the old one is decided again.
func (l *Locator) makeView() {
	traced, changes := l.known.Traced()
	l.viewed = changes
	l.view = group.NewView(group.ViewSettings{
		Traced: traced, HostID: l.settings.HostID, HostName: l.settings.HostName,
		Relatives: l.relatives.all, Startups: l.startups, Evidence: l.settings.Evidence,
	})
	clear(l.decisions)
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
		if _, ended := l.relatives.ended[p.connection.PID]; !ended || !l.remembers(p) {
			delete(l.peers, addr)
		}
	}
}
