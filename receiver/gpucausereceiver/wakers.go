package gpucausereceiver

import (
	"time"

	"github.com/gpucause/gpucause/internal/causality"
	"github.com/gpucause/gpucause/internal/event"
)

const (
	// followFrom is how long traced threads must have waited for a process
	// before it is followed.
	followFrom = time.Millisecond
	// maxCandidates bounds the processes that are watched for it.
	maxCandidates = 1024
)

// wakers chooses the processes to follow: those without CUDA calls that ended
// long waits of traced threads.
type wakers struct {
	max        int
	candidates map[event.PID]time.Duration // waited for, not followed yet
	followed   map[event.PID]struct{}
}

func newWakers(config FollowWakersConfig) *wakers {
	w := &wakers{candidates: make(map[event.PID]time.Duration), followed: make(map[event.PID]struct{})}
	if config.Enabled {
		w.max = int(config.MaxProcesses)
	}
	return w
}

// choose returns those of untraced that should be followed from now on.
func (w *wakers) choose(untraced []causality.Untraced) []event.PID {
	var chosen []event.PID
	for _, u := range untraced {
		if w.waitedFor(u) && len(w.followed) < w.max {
			delete(w.candidates, u.Task.Thread.PID)
			w.followed[u.Task.Thread.PID] = struct{}{}
			chosen = append(chosen, u.Task.Thread.PID)
		}
	}
	return chosen
}

// waitedFor adds up a wait, and reports whether its waker is worth following.
func (w *wakers) waitedFor(u causality.Untraced) bool {
	pid := u.Task.Thread.PID
	if _, ok := w.followed[pid]; ok || pid == 0 || w.max == 0 {
		return false
	}
	waited := w.candidates[pid] + u.Blocked
	if len(w.candidates) >= maxCandidates {
		clear(w.candidates)
	}
	w.candidates[pid] = waited
	return waited >= followFrom
}

// forget makes room when a process is gone.
func (w *wakers) forget(pid event.PID) {
	delete(w.candidates, pid)
	delete(w.followed, pid)
}

// pids calls visit for every followed process.
func (w *wakers) pids(visit func(event.PID)) {
	for pid := range w.followed {
		visit(pid)
	}
}
