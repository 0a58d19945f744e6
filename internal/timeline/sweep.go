package timeline

import (
	"time"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
)

// makeRoom reclaims what exited, without waiting for Retention. It does so once
// per Settle at most, so that a full table stays cheap.
func (t *Timeline) makeRoom(now ktime.Time) {
	if now.Sub(t.swept) >= t.settings.Settle {
		t.sweep(now, t.settings.Settle)
	}
}

// sweep reclaims what is too old at now. Exited threads and processes go
// exitedAge after they went: Retention usually, less when room is needed.
func (t *Timeline) sweep(now ktime.Time, exitedAge time.Duration) {
	t.swept = max(t.swept, now)
	for pid, p := range t.processes {
		for tid, th := range p.threads {
			t.sweepThread(p, th, now)
			if th.stale(now, exitedAge, t.settings.Retention) {
				t.forget(p, tid, th)
			}
		}
		if p.stale(now, exitedAge, t.settings) {
			delete(t.processes, pid)
		}
	}
}

func (t *Timeline) sweepThread(p *process, th *thread, now ktime.Time) {
	t.release(p, th, now.Add(-t.settings.OrphanAfter))
	t.discardHeld(&th.cycles, t.oldestCycle(th, now))
	t.intervals -= th.history.trim(now.Add(-t.settings.Retention))
}

// oldestCycle returns the start of the oldest cycle of th that a record may
// still come of. A thread that waits is in one cycle for as long as it waits.
func (t *Timeline) oldestCycle(th *thread, now ktime.Time) ktime.Time {
	if now == farFuture {
		return now
	}
	return th.seen.Add(-t.settings.OrphanAfter)
}

func (t *Timeline) forget(p *process, tid event.TID, th *thread) {
	t.intervals -= th.history.size
	t.discardHeld(&th.cycles, farFuture)
	p.lost = max(p.lost, th.history.forgotten, th.seen)
	delete(p.threads, tid)
	t.threads--
}

// stale reports whether th's state is of no more use.
func (th *thread) stale(now ktime.Time, exitedAge, idleAge time.Duration) bool {
	if th.exited {
		return now.Sub(th.seen) >= exitedAge
	}
	return len(th.waiting) == 0 && len(th.cycles.trees) == 0 && th.history.size == 0 && now.Sub(th.seen) >= idleAge
}

// stale reports whether p's state is of no more use. A process that lives but
// is silent is forgotten only when room is needed: its exit is reported.
func (p *process) stale(now ktime.Time, exitedAge time.Duration, settings Settings) bool {
	if len(p.threads) > 0 {
		return false
	}
	if p.traced.until != 0 {
		return now.Sub(p.traced.until) >= exitedAge
	}
	return exitedAge < settings.Retention && now.Sub(p.seen) >= settings.Retention
}
