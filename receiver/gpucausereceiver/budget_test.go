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
	assertChosen(t, w, waitedFor(7, 600*time.Microsecond), 0)
	assertChosen(t, w, waitedFor(7, 400*time.Microsecond), 0, 7)
	assertChosen(t, w, waitedFor(7, time.Second), 0)
	w.forget(7)
	assertChosen(t, w, waitedFor(8, time.Second), 0, 8)
}

func TestWakersWithoutRoomAreCountedOnce(t *testing.T) {
	w := newWakers(FollowWakersConfig{Enabled: true, MaxProcesses: 1})
	assertChosen(t, w, waitedFor(7, time.Second), 0, 7)
	assertChosen(t, w, waitedFor(8, time.Microsecond), 0)
	assertChosen(t, w, waitedFor(8, time.Second), 1)
	assertChosen(t, w, waitedFor(8, time.Second), 0)
	assertChosen(t, w, waitedFor(9, time.Second), 1)
	w.forget(7)
	assertChosen(t, w, waitedFor(8, time.Second), 0, 8)
	for pid := range event.PID(3 * maxCandidates) {
		w.choose(waitedFor(pid+1, time.Second), 0)
	}
	assert.LessOrEqual(t, len(w.refused), maxCandidates)
}

func TestFailedFollowIsRetriedLater(t *testing.T) {
	w := newWakers(FollowWakersConfig{Enabled: true, MaxProcesses: 1})
	assertChosen(t, w, waitedFor(7, time.Second), 0, 7)
	assert.EqualValues(t, 1, w.unfollow(7, 0))
	assertChosen(t, w, waitedFor(7, time.Second), 0)
	assertChosen(t, w, waitedFor(8, time.Second), 0, 8)
	w.forget(8)

	chosen, refused := w.choose(waitedFor(7, time.Second), ktime.Time(followAgain))
	assert.Equal(t, []event.PID{7}, chosen)
	assert.Zero(t, refused)
	assert.Zero(t, w.unfollow(7, ktime.Time(followAgain)), "counted already")
}

func TestWakersAreNotFollowedWhenDisabled(t *testing.T) {
	w := newWakers(FollowWakersConfig{MaxProcesses: 5})
	assertChosen(t, w, waitedFor(7, time.Hour), 0)
	assert.Empty(t, w.candidates)
}

func TestCandidatesAreBounded(t *testing.T) {
	w := newWakers(FollowWakersConfig{Enabled: true, MaxProcesses: 5})
	for pid := range event.PID(3 * maxCandidates) {
		w.choose(waitedFor(pid+1, time.Microsecond), 0)
	}
	assert.LessOrEqual(t, len(w.candidates), maxCandidates)
}

func assertChosen(t *testing.T, w *wakers, untraced []causality.Untraced, refused int64, chosen ...event.PID) {
	t.Helper()
	gotChosen, gotRefused := w.choose(untraced, 0)
	assert.Equal(t, chosen, gotChosen)
	assert.Equal(t, refused, gotRefused)
}

func waitedFor(pid event.PID, d time.Duration) []causality.Untraced {
	return []causality.Untraced{{Task: event.Task{Thread: event.Thread{PID: pid, TID: event.TID(pid)}}, Blocked: d}}
}
