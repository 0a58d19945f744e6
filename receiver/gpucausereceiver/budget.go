package gpucausereceiver

import (
	"time"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
)

// burst is how much time's worth of spans an idle process saves up.
const burst = 2 * time.Second

// budgets bounds the spans per second of each process: a token bucket, one
// token per span. A trace is let through whole while a token is left, and the
// bucket then goes into debt, so that a large trace is never cut and the
// long-run rate still holds.
type budgets struct {
	perSecond float64
	buckets   map[event.PID]*bucket
}

type bucket struct {
	tokens float64
	at     ktime.Time // of the latest refill
}

func newBudgets(perSecond uint32) *budgets {
	return &budgets{perSecond: float64(perSecond), buckets: make(map[event.PID]*bucket)}
}

// hasSpare reports whether the process may emit a trace that is not about a
// stall now: half of what it can save up stays for stalls.
func (b *budgets) hasSpare(pid event.PID, now ktime.Time) bool {
	return b.refilled(pid, now).tokens >= max(1, b.capacity()/2)
}

// emits reports whether there is a budget at all.
func (b *budgets) emits() bool { return b.perSecond > 0 }

// allows reports whether the process may emit a trace now.
func (b *budgets) allows(pid event.PID, now ktime.Time) bool {
	return b.refilled(pid, now).tokens >= 1
}

// spend takes the spans of an emitted trace.
func (b *budgets) spend(pid event.PID, spans int) {
	if bucket, ok := b.buckets[pid]; ok {
		bucket.tokens -= float64(spans)
	}
}

// spendAnyway takes the spans of a trace that was emitted whether or not it was
// allowed. However many there are, the process may emit others soon after: the debt
// that they make is at most what it can save up.
func (b *budgets) spendAnyway(pid event.PID, spans int) {
	if bucket, ok := b.buckets[pid]; ok {
		most := min(bucket.tokens, -b.capacity())
		bucket.tokens = max(most, bucket.tokens-float64(spans))
	}
}

// forget drops the bucket of a process that is gone.
func (b *budgets) forget(pid event.PID) { delete(b.buckets, pid) }

// capacity is what an idle process saves up.
func (b *budgets) capacity() float64 { return b.perSecond * burst.Seconds() }

func (b *budgets) refilled(pid event.PID, now ktime.Time) *bucket {
	capacity := b.capacity()
	found, ok := b.buckets[pid]
	if !ok {
		found = &bucket{tokens: capacity, at: now}
		b.buckets[pid] = found
	}
	if elapsed := now.Sub(found.at); elapsed > 0 {
		found.tokens = min(capacity, found.tokens+elapsed.Seconds()*b.perSecond)
		found.at = now
	}
	return found
}
