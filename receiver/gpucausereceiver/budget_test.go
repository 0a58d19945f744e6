package gpucausereceiver

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

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

func TestWhatIsEmittedAnywayLeavesBoundedDebt(t *testing.T) {
	b := newBudgets(100)
	require.True(t, b.allows(1, 0))
	for range 1000 {
		b.spendAnyway(1, 10)
	}
	assert.False(t, b.allows(1, ktime.Time(burst)))
	assert.True(t, b.allows(1, ktime.Time(burst+20*time.Millisecond)))

	b.spend(1, 1000)
	before := b.buckets[1].tokens
	b.spendAnyway(1, 10)
	assert.InDelta(t, before, b.buckets[1].tokens, 0, "the debt of others stays")
}

func TestOnlyStallsSpendTheSecondHalf(t *testing.T) {
	b := newBudgets(100)
	require.True(t, b.hasSpare(1, 0))
	b.spend(1, 101)
	assert.False(t, b.hasSpare(1, 0), "99 of 200 are left")
	assert.True(t, b.allows(1, 0))
	assert.True(t, b.hasSpare(1, ktime.Time(time.Second)))
}

func TestWakersAreFollowedFromAMillisecondOn(t *testing.T) {
	w := newWakers(FollowWakersConfig{Enabled: true, MaxProcesses: 1})
	w.waitedFor(7, 600*time.Microsecond)
	assert.Empty(t, due(w))
	w.waitedFor(7, 400*time.Microsecond)
	assert.Equal(t, []event.PID{7}, due(w))
	w.waitedFor(7, time.Second)
	assert.Empty(t, due(w), "already followed")
	w.forget(7)
	w.waitedFor(8, time.Second)
	assert.Equal(t, []event.PID{8}, due(w))
}

func TestWakersWithoutRoomAreCountedOnce(t *testing.T) {
	w := newWakers(FollowWakersConfig{Enabled: true, MaxProcesses: 1})
	w.waitedFor(7, time.Second)
	for range 5 {
		w.waitedFor(8, time.Second)
	}
	chosen, refused := w.take()
	assert.Equal(t, []event.PID{7}, chosen)
	assert.Equal(t, 1, refused)
	w.forget(7)
	w.waitedFor(8, time.Microsecond)
	assert.Equal(t, []event.PID{8}, due(w), "there is room now")
}

func TestWakersAreNotFollowedWhenDisabled(t *testing.T) {
	w := newWakers(FollowWakersConfig{MaxProcesses: 5})
	w.waitedFor(7, time.Hour)
	assert.Empty(t, due(w))
	assert.Empty(t, w.candidates)
}

func TestRejectedWakerMakesRoomAndIsLeftAlone(t *testing.T) {
	w := newWakers(FollowWakersConfig{Enabled: true, MaxProcesses: 1})
	w.waitedFor(2, time.Second)
	require.Len(t, due(w), 1)
	w.reject(2)
	w.waitedFor(2, time.Second)
	assert.Empty(t, due(w))
	w.waitedFor(7, time.Second)
	assert.Equal(t, []event.PID{7}, due(w))
}

func TestKernelThreadsAreTold(t *testing.T) {
	proc := t.TempDir()
	for name, stat := range map[string]string{
		"2":  "2 (kthreadd) S 0 0 0 0 -1 2129984 0 0",
		"7":  "7 (odd) S 1 (name) S 1 7 7 0 -1 4194560 0 0",
		"8":  "8 (cut) S 1",
		"9":  "9 (bad) S 0 0 0 0 -1 many 0 0",
		"10": "",
	} {
		require.NoError(t, os.Mkdir(filepath.Join(proc, name), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(proc, name, "stat"), []byte(stat), 0o600))
	}
	assert.True(t, isKernelThread(proc, 2))
	for _, pid := range []event.PID{7, 8, 9, 10, 11} {
		assert.False(t, isKernelThread(proc, pid), pid)
	}
}

func TestWatchedWakersAreBounded(t *testing.T) {
	w := newWakers(FollowWakersConfig{Enabled: true, MaxProcesses: 5})
	for pid := range event.PID(3 * maxCandidates) {
		w.waitedFor(pid+1, time.Microsecond)
	}
	assert.Len(t, w.candidates, maxCandidates)
	assert.EqualValues(t, 2*maxCandidates, w.forgotten)
	w.waitedFor(3*maxCandidates, time.Microsecond)
	assert.Len(t, w.candidates, maxCandidates, "it is one of them")
	for tid := range event.TID(2 * maxDispatchers) {
		w.addDispatcher(event.Thread{PID: 7, TID: tid})
	}
	assert.Len(t, w.dispatchers, maxDispatchers)
	assert.EqualValues(t, maxDispatchers, w.unwatched)
	w.addDispatcher(event.Thread{PID: 7})
	assert.EqualValues(t, maxDispatchers, w.unwatched, "it is one of them")
	w.forgetThread(event.Thread{PID: 7})
	assert.Len(t, w.dispatchers, maxDispatchers-1)
	w.forget(7)
	assert.Empty(t, w.dispatchers)
}

func TestOnlyWaitsOfDispatchersForOthersMatter(t *testing.T) {
	w := newWakers(FollowWakersConfig{Enabled: true, MaxProcesses: 5})
	wait := event.OffCPU{Task: engineTask, Waker: wakerTask, WakerContext: event.WakerTask}
	assert.False(t, w.matters(&wait), "not a dispatcher yet")
	w.addDispatcher(engineTask.Thread)
	assert.True(t, w.matters(&wait))
	interrupted := wait
	interrupted.WakerContext = event.WakerSoftIRQ
	assert.False(t, w.matters(&interrupted))
	own := wait
	own.Waker = engineTask
	assert.False(t, w.matters(&own))
}

func due(w *wakers) []event.PID {
	chosen, _ := w.take()
	return chosen
}
