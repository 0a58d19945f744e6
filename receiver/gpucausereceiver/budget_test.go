package gpucausereceiver

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/gpucause/gpucause/internal/causality"
	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
)

func TestBudgetHoldsTheRateAndNeverCutsATrace(t *testing.T) {
	const perSecond, size = 100, 30
	b := newBudgets(perSecond)
	spans := 0
	for now := ktime.Time(0); now < ktime.Time(10*time.Second); now += ktime.Time(time.Millisecond) {
		if b.allows(1, now) {
			b.spend(1, size)
			spans += size
		}
	}
	assert.InDelta(t, perSecond*(10+burst.Seconds()), spans, size+1)
	assert.True(t, b.allows(2, 0), "each process has its own")
}

func TestNoBudgetNoTraces(t *testing.T) {
	assert.False(t, newBudgets(0).allows(1, ktime.Time(time.Hour)))
}

func TestWakersAreFollowedFromAMillisecondOn(t *testing.T) {
	w := newWakers(FollowWakersConfig{Enabled: true, MaxProcesses: 1})
	assert.Empty(t, w.choose(waitedFor(7, 600*time.Microsecond)))
	assert.Equal(t, []event.PID{7}, w.choose(waitedFor(7, 400*time.Microsecond)))
	assert.Empty(t, w.choose(waitedFor(7, time.Second)), "already followed")
	assert.Empty(t, w.choose(waitedFor(8, time.Second)), "no room")
	w.forget(7)
	assert.Equal(t, []event.PID{8}, w.choose(waitedFor(8, time.Second)))
}

func TestWakersAreNotFollowedWhenDisabled(t *testing.T) {
	w := newWakers(FollowWakersConfig{MaxProcesses: 5})
	assert.Empty(t, w.choose(waitedFor(7, time.Hour)))
	assert.Empty(t, w.candidates)
}

func TestCandidatesAreBounded(t *testing.T) {
	w := newWakers(FollowWakersConfig{Enabled: true, MaxProcesses: 5})
	for pid := range event.PID(3 * maxCandidates) {
		w.choose(waitedFor(pid+1, time.Microsecond))
	}
	assert.LessOrEqual(t, len(w.candidates), maxCandidates)
}

func waitedFor(pid event.PID, d time.Duration) []causality.Untraced {
	return []causality.Untraced{{Task: event.Task{Thread: event.Thread{PID: pid, TID: event.TID(pid)}}, Blocked: d}}
}
