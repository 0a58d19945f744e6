package locate

import (
	"time"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/group"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/process"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/window"
)

// relatives is what was read of this machine's processes.
type relatives struct {
	all    process.Relatives // not changed once it is here
	round  uint64            // grows with every look that was taken over
	looked window.Time       // 0: not yet
	seen   uint64            // of Known.Changes, then
	none   bool              // then there was nothing to look at
	ended  map[int64]window.Time
}

// look is one at the processes of this machine.
type look struct {
	of    []int64
	seen  uint64 // of Known.Changes
	began window.Time
	found process.Relatives // nil unless it has ended without a defect
	all   bool
}

// Look looks at the traced processes of this machine and their relatives, where
// it is time to. It is for one goroutine, and may take any time: until it has
// ended, what was known before holds.
func (l *Locator) Look() {
	k := l.beginLook()
	if k == nil {
		return
	}
	defer l.endLook(k)
	k.found, k.all = l.procs.Relatives(k.of)
}

// beginLook returns a look if it is time to, and nil otherwise.
func (l *Locator) beginLook() *look {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.settings.Now()
	if !l.looks() || !l.relatives.due(l.known.Changes(), now) {
		return nil
	}
	traced, seen := l.known.Traced()
	k := &look{seen: seen, began: now}
	for _, t := range traced {
		if t.HostID == l.settings.HostID {
			k.of = append(k.of, t.PID)
		}
	}
	if l.relatives.none = len(k.of) == 0; l.relatives.none {
		l.relatives.seen = seen
		l.askAgain()
		return nil
	}
	l.look = k
	return k
}

// endLook takes over what was found. A look with a defect has found nothing, and
// is not tried again before the next one is due.
func (l *Locator) endLook(k *look) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.look = nil
	l.relatives.looked, l.relatives.seen = k.began, k.seen
	l.stats.Looks++
	if l.overdue(k.began) {
		l.stats.SlowLooks++
	}
	if k.found != nil {
		if !k.all {
			l.stats.LooksCut++
		}
		l.relatives.replace(k.found, k.began)
		l.makeView()
	}
	l.askAgain()
}

// looks reports whether the processes of this machine can be looked at.
func (l *Locator) looks() bool { return l.procs != nil && l.settings.HostID != "" }

// pending reports whether a look is to be waited for: traced processes have come
// or gone since the last one, and nothing keeps it from ending soon.
func (l *Locator) pending() bool {
	changes := l.known.Changes()
	if !l.looks() || l.relatives.seen == changes {
		return false
	}
	if l.look != nil {
		return !l.overdue(l.look.began)
	}
	return l.relatives.due(changes, l.settings.Now())
}

// Rest returns for how long Look has nothing to do, unless traced processes come
// or go. It is more than 0.
func (l *Locator) Rest() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	every := lookEvery
	if l.relatives.seen != l.known.Changes() {
		every = lookPause
	}
	rest := every - time.Duration(l.settings.Now()-l.relatives.looked)
	if rest <= 0 || rest > every {
		return lookPause
	}
	return rest
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
	r.round++
}
