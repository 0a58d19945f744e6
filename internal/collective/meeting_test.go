package collective

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
)

// Three ranks; the last one is late. The others' waits are its doing, as far as
// it had not been queued.
func TestWhoWaitedForWhom(t *testing.T) {
	h := newHost(t, Settings{})
	for rank := range 3 {
		c := h.begin(100+rank, 7, "id", 3, rank)
		require.True(t, c.Complete())
	}
	for rank, at := range []ktime.Time{10 * ms, 12 * ms, 50 * ms} {
		h.issue(issue{pid: 100 + rank, symbol: "ncclAllReduce", serial: 7, operation: 1, sequence: 1, end: at})
	}
	h.sync(100, 11*ms, 55*ms, event.Completed{Serial: 7, Operation: 1})
	h.sync(101, 20*ms, 55*ms, event.Completed{Serial: 7, Operation: 1})
	h.sync(102, 51*ms, 56*ms, event.Completed{Serial: 7, Operation: 1})
	assert.Empty(t, h.advance(150*ms), "held back until the others' records have come")
	told := h.advance(200 * ms)
	require.Len(t, told, 3)
	for n, want := range []struct {
		wait, peer time.Duration
		late       bool
	}{
		{44 * time.Millisecond, 39*time.Millisecond - 10, true},
		{35 * time.Millisecond, 30*time.Millisecond - 10, true},
		{5 * time.Millisecond, 0, false},
	} {
		o := told[n]
		assert.Equal(t, n, o.Communicator.Rank)
		assert.Equal(t, want.wait, o.Wait.Duration())
		peer, known := o.PeerWait()
		assert.True(t, known)
		assert.Equal(t, want.peer, peer)
		late, ok, _ := o.WaitedFor()
		require.Equal(t, want.late, ok)
		if ok {
			assert.Equal(t, 2, late.Communicator.Rank)
			assert.Equal(t, told[2].Enqueued.Sub(o.Enqueued), late.Lag)
		}
		assert.True(t, h.tracker.Worth(o), "the ranks were far apart")
	}
	assert.Zero(t, h.tracker.Stats().Held)
	assert.Empty(t, h.tracker.meetings)
}

// A rank may have queued its operation as soon as it entered the call: what others
// wait after that is not certainly its doing, however late the call returns.
func TestLongCallsProveNothing(t *testing.T) {
	for name, tt := range map[string]struct {
		took, peer time.Duration
	}{
		"entered during the wait":  {30 * time.Millisecond, 9 * time.Millisecond},
		"entered before the wait":  {45 * time.Millisecond, 0},
		"entered before the other": {49 * time.Millisecond, 0},
	} {
		t.Run(name, func(t *testing.T) {
			for _, grouped := range []bool{false, true} {
				h := newHost(t, Settings{})
				h.begin(100, 1, "id", 2, 0)
				h.begin(101, 1, "id", 2, 1)
				h.issue(issue{pid: 100, symbol: "ncclAllReduce", serial: 1, operation: 1, sequence: 1, end: 10 * ms})
				slow := issue{pid: 101, symbol: "ncclAllReduce", serial: 1, operation: 1, sequence: 1, end: 50 * ms, took: tt.took}
				if grouped {
					slow.group, slow.end, slow.took = 5, ms, 0
				}
				h.issue(slow)
				if grouped {
					h.endGroupAfter(101, 5, (50 * ms).Add(-tt.took), 50*ms, 0)
				}
				h.sync(100, 11*ms, 55*ms, event.Completed{Serial: 1, Operation: 1})
				h.sync(101, 51*ms, 55*ms, event.Completed{Serial: 1, Operation: 1})
				told := h.advance(farFuture)
				require.Len(t, told, 2)
				waited, last := told[0], told[1]
				if waited.Communicator.Rank != 0 {
					waited, last = last, waited
				}
				peer, known := waited.PeerWait()
				assert.True(t, known)
				assert.Equal(t, tt.peer, peer)
				suspect, late, _ := waited.WaitedFor()
				require.True(t, late)
				assert.Equal(t, 1, suspect.Communicator.Rank)
				assert.Equal(t, 40*time.Millisecond, suspect.Lag, "by the returns")
				assert.Equal(t, 5*time.Millisecond+tt.took, last.Duration(), "an upper bound")
			}
		})
	}
}

// What a rank cannot do without depends on the operation.
func TestDependencesOfOperations(t *testing.T) {
	for _, tt := range []struct {
		symbol string
		root   int
		waits  []int // for each rank of three that arrive one after the other: the rank waited for, or -1
	}{
		{"ncclAllReduce", 0, []int{2, 2, -1}},
		{"ncclAllGather", 0, []int{2, 2, -1}},
		{"ncclReduceScatter", 0, []int{2, 2, -1}},
		{"ncclAlltoAll", 0, []int{2, 2, -1}},
		{"ncclBroadcast", 1, []int{1, -1, -1}},
		{"ncclBroadcast", 0, []int{-1, -1, -1}},
		{"ncclBcast", 2, []int{2, 2, -1}},
		{"ncclScatter", 1, []int{1, -1, -1}},
		{"ncclReduce", 0, []int{2, -1, -1}},
		{"ncclReduce", 2, []int{-1, -1, -1}},
		{"ncclGather", 1, []int{-1, 2, -1}},
	} {
		h := newHost(t, Settings{})
		for rank := range 3 {
			h.begin(100+rank, 7, "id", 3, rank)
			h.issue(issue{pid: 100 + rank, symbol: tt.symbol, serial: 7, operation: 1, sequence: 1, root: tt.root, end: ktime.Time(10+rank) * ms})
			h.sync(100+rank, 20*ms, 30*ms, event.Completed{Serial: 7, Operation: 1})
		}
		for rank, o := range h.advance(farFuture) {
			late, ok, known := o.WaitedFor()
			if tt.waits[rank] < 0 {
				assert.False(t, ok, "%s rank %d", tt.symbol, rank)
				assert.Equal(t, rank == 2, known, "%s rank %d: whether it waited for those after it", tt.symbol, rank)
				continue
			}
			require.True(t, ok, "%s rank %d", tt.symbol, rank)
			assert.Equal(t, tt.waits[rank], late.Communicator.Rank, "%s rank %d", tt.symbol, rank)
		}
	}
}

// A send meets its receive, by pair, direction and number.
func TestSendsMeetTheirReceives(t *testing.T) {
	h := newHost(t, Settings{})
	h.begin(100, 1, "id", 4, 0)
	h.begin(103, 2, "id", 4, 3)
	h.issue(issue{pid: 100, symbol: "ncclSend", serial: 1, operation: 1, sequence: 1, peer: 3, end: 10 * ms})
	h.issue(issue{pid: 103, symbol: "ncclSend", serial: 2, operation: 1, sequence: 1, peer: 0, end: 11 * ms})
	h.issue(issue{pid: 103, symbol: "ncclRecv", serial: 2, operation: 2, sequence: 1, peer: 0, end: 30 * ms})
	h.issue(issue{pid: 100, symbol: "ncclSend", serial: 1, operation: 2, sequence: 2, peer: 3, end: 40 * ms})
	h.issue(issue{pid: 103, symbol: "ncclSend", serial: 2, operation: 3, sequence: 2, peer: 0, end: 70 * ms})
	h.issue(issue{pid: 100, symbol: "ncclRecv", serial: 1, operation: 3, sequence: 2, peer: 3, end: 50 * ms})
	told := h.advance(farFuture)
	require.Len(t, told, 6)
	for n, o := range told {
		late, ok, known := o.WaitedFor()
		switch n {
		case 0: // a send whose receiver came later
			assert.False(t, ok || known, "what was sent may have been gone by then")
			assert.Len(t, o.Ranks(), 2)
		case 2, 5: // whose partner had come
			assert.False(t, ok)
			assert.True(t, known)
		case 4: // a receive whose sender came later
			require.True(t, ok)
			assert.Equal(t, "ncclSend", late.Row().Function)
			assert.Equal(t, 20*time.Millisecond, late.Lag)
		default:
			assert.False(t, ok || known, "its receive has not been issued")
		}
	}
}

// Ranks that do not do the same are worth spans, all of them.
func TestRanksThatDoNotDoTheSame(t *testing.T) {
	h := newHost(t, Settings{SampleEvery: -1})
	for rank := range 3 {
		h.begin(100+rank, 1, "id", 3, rank)
	}
	for n, symbols := range [][3]string{
		{"ncclAllReduce", "ncclAllReduce", "ncclAllReduce"},
		{"ncclAllReduce", "ncclAllReduce", "ncclAllGather"},
		{"ncclBroadcast", "ncclBcast", "ncclBroadcast"},
	} {
		for rank, symbol := range symbols {
			h.issue(issue{pid: 100 + rank, symbol: symbol, serial: 1, operation: uint32(n) + 1, sequence: uint64(n) + 1, end: ktime.Time(10+n) * ms})
		}
	}
	for rank := range 3 {
		h.sync(100+rank, 20*ms, 21*ms, event.Completed{Serial: 1, Operation: 3})
	}
	told := h.advance(farFuture)
	require.Len(t, told, 9)
	for _, o := range told {
		assert.Equal(t, o.Sequence == 2, h.tracker.Worth(o), "%s #%d", o.Name(), o.Sequence)
	}
}
