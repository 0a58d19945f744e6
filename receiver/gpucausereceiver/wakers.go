package gpucausereceiver

import (
	"time"

	"github.com/gpucause/gpucause/internal/causality"
	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
)

const (
	// followFrom is how long traced threads must have waited for a process
	// before it is followed.
	followFrom = time.Millisecond
	// maxCandidates bounds the processes that are watched for it, and those
	// remembered as refused.
	maxCandidates = 1024
	// followAgain is how long a process that could not be followed is left alone.
	followAgain = 10 * time.Second
)

// wakers chooses the processes to follow: those without CUDA calls that ended
// long waits of traced threads.
type wakers struct {
	max        int
	candidates map[event.PID]time.Duration // waited for, not followed yet
	followed   map[event.PID]struct{}
	refused    map[event.PID]ktime.Time // already counted, and until when not tried again
}

func newWakers(config FollowWakersConfig) *wakers {
	w := &wakers{
		candidates: make(map[event.PID]time.Duration),
		followed:   make(map[event.PID]struct{}),
		refused:    make(map[event.PID]ktime.Time),
	}
	if config.Enabled {
		w.max = int(config.MaxProcesses)
	}
	return w
}

// choose returns those of untraced that should be followed from now on, and for
// how many others there is, for the first time, no room.
func (w *wakers) choose(untraced []causality.Untraced, now ktime.Time) (chosen []event.PID, refused int64) {
	for _, u := range untraced {
		pid := u.Task.Thread.PID
		if !w.waitedFor(u, now) {
			continue
		}
		if len(w.followed) >= w.max {
			refused += w.refuse(pid, now)
			continue
		}
		delete(w.candidates, pid)
		w.followed[pid] = struct{}{}
		chosen = append(chosen, pid)
	}
	return chosen, refused
}

// unfollow takes back the choice of a process that cannot be followed. It
// returns 1 where that is the first refusal of the process.
func (w *wakers) unfollow(pid event.PID, now ktime.Time) int64 {
	delete(w.followed, pid)
	return w.refuse(pid, now.Add(followAgain))
}

// refuse returns 1 where pid is refused for the first time, as far as is remembered.
func (w *wakers) refuse(pid event.PID, again ktime.Time) int64 {
	_, known := w.refused[pid]
	if !known && len(w.refused) >= maxCandidates {
		clear(w.refused)
	}
	w.refused[pid] = again
	if known {
		return 0
	}
	return 1
}

// waitedFor adds up a wait, and reports whether its waker is worth following.
func (w *wakers) waitedFor(u causality.Untraced, now ktime.Time) bool {
	pid := u.Task.Thread.PID
	if _, ok := w.followed[pid]; ok || pid == 0 || w.max == 0 || now < w.refused[pid] {
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
	delete(w.refused, pid)
}

// pids calls visit for every followed process.
func (w *wakers) pids(visit func(event.PID)) {
	for pid := range w.followed {
		visit(pid)
	}
}
