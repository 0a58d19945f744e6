package collective

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
)

const second = ktime.Time(time.Second)

// late plays a rank that waits from 11 ms on for one that comes at at, and returns the
// host after all is over.
func late(t *testing.T, at ktime.Time) *host {
	t.Helper()
	h := newHost(t, Settings{SampleEvery: -1})
	for rank := range 2 {
		h.begin(100+rank, 1, "id", 2, rank)
	}
	h.issue(issue{pid: 100, symbol: "ncclAllReduce", serial: 1, operation: 1, sequence: 1, end: 10 * ms})
	for now := second; now < at; now += second {
		h.advance(now)
	}
	require.Len(t, h.told, 1)
	assert.Zero(t, h.told[0].Completed)
	assert.True(t, h.tracker.Worth(h.told[0]))
	h.issue(issue{pid: 101, symbol: "ncclAllReduce", serial: 1, operation: 1, sequence: 1, end: at})
	h.sync(100, 11*ms, at+10*ms, event.Completed{Serial: 1, Operation: 1})
	h.sync(101, at+ms, at+10*ms, event.Completed{Serial: 1, Operation: 1})
	h.advance(at + second)
	h.advance(farFuture)
	return h
}

// An operation that completes after it was told is told again, with its wait and who
// it was for.
func TestLateCompletionsAreToldAgain(t *testing.T) {
	for _, at := range []ktime.Time{15 * second, 39 * second} {
		h := late(t, at)
		require.Len(t, h.told, 2)
		require.Len(t, h.again, 1, "once")
		o := h.again[0]
		assert.Same(t, h.told[0], o)
		assert.Equal(t, at+10*ms, o.Completed)
		assert.Equal(t, at.Sub(ms), o.Wait.Duration())
		peer, known := o.PeerWait()
		assert.True(t, known)
		assert.Equal(t, (at - 10).Sub(11*ms), peer)
		last, _, _ := o.WaitedFor()
		assert.Equal(t, 1, last.Communicator.Rank)
		assert.True(t, h.tracker.Worth(o))
		stats := h.tracker.Stats()
		assert.EqualValues(t, 1, stats.Late)
		assert.EqualValues(t, 1, stats.Incomplete)
		assert.EqualValues(t, 2, stats.Operations)
		assert.Zero(t, stats.Held)
		assert.Empty(t, h.tracker.meetings)
	}
}

// It is not remembered for ever.
func TestVeryLateCompletionsAreNotToldAgain(t *testing.T) {
	h := late(t, 60*second)
	assert.Len(t, h.told, 2)
	assert.Empty(t, h.again)
	assert.Zero(t, h.tracker.Stats().Late)
}

// What was worth a span while it was not complete is worth one when it is, so that
// who got the first one gets the second: here a query finds out, and nobody waited.
func TestWhatWasToldIsToldToItsEnd(t *testing.T) {
	h := newHost(t, Settings{SampleEvery: -1})
	h.begin(100, 1, "id", 2, 0)
	for n := range uint32(3) {
		h.issue(issue{pid: 100, symbol: "ncclAllReduce", serial: 1, operation: n + 1, sequence: uint64(n) + 1, end: ktime.Time(10+n) * ms})
	}
	h.advance(11 * second)
	first := map[*Operation]bool{}
	for _, o := range h.told {
		first[o] = h.tracker.Worth(o)
	}
	h.seen(100, "cudaEventQuery", 12*second, 12*second+5, event.Completed{Serial: 1, Operation: 3})
	h.advance(13 * second)
	require.Len(t, h.again, 3)
	for _, o := range h.again {
		assert.Equal(t, first[o], h.tracker.Worth(o))
		assert.Zero(t, o.Wait)
	}
}
