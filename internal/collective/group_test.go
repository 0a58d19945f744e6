package collective

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
)

// What is in a group is queued when the outermost group ends, in its order; what
// a group refused never was.
func TestGroups(t *testing.T) {
	h := newHost(t, Settings{})
	h.begin(100, 1, "a", 2, 0)
	h.begin(100, 2, "b", 2, 1)
	h.issue(issue{pid: 100, symbol: "ncclAllReduce", serial: 1, operation: 1, sequence: 1, end: 10 * ms, group: 5})
	h.issue(issue{pid: 100, symbol: "ncclAllGather", serial: 2, operation: 1, sequence: 1, end: 11 * ms, group: 5})
	h.endGroup(100, 5, 20*ms, 0)
	h.issue(issue{pid: 100, symbol: "ncclAllReduce", serial: 1, operation: 2, sequence: 2, end: 30 * ms, group: 6})
	h.endGroup(100, 6, 31*ms, 4)
	h.sync(100, 21*ms, 25*ms, event.Completed{Serial: 1, Operation: 1}, event.Completed{Serial: 2, Operation: 1})
	h.sync(100, 32*ms, 33*ms, event.Completed{Serial: 1, Operation: 2})
	told := h.advance(farFuture)
	require.Len(t, told, 3)
	byNumber := map[string]*Operation{}
	for _, o := range told {
		byNumber[o.Row().Function+string(rune('0'+o.Operation))] = o
	}
	first, second, refused := byNumber["ncclAllReduce1"], byNumber["ncclAllGather1"], byNumber["ncclAllReduce2"]
	assert.Equal(t, 20*ms, first.Enqueued)
	assert.Equal(t, 20*ms, second.Enqueued)
	assert.Equal(t, 25*ms, first.Completed)
	waits := 0
	for _, o := range []*Operation{first, second} {
		if o.Wait != (Wait{}) {
			waits++
		}
	}
	assert.Equal(t, 1, waits, "a synchronisation waits for one operation, whatever else it covers")
	assert.Equal(t, Refusal{At: 31 * ms, Result: 4}, refused.Refusal)
	assert.Zero(t, refused.Enqueued)
	assert.Zero(t, refused.Completed)
}

// A group whose end was lost, and arrivals on communicators that have ended, do not
// stay as long as their process.
func TestLostEndsOfGroupsAreForgotten(t *testing.T) {
	h := newHost(t, Settings{Timeout: time.Second})
	h.begin(100, 1, "a", 2, 0)
	h.begin(100, 2, "b", 2, 0)
	h.issue(issue{pid: 100, symbol: "ncclAllReduce", serial: 1, operation: 1, sequence: 1, end: 10 * ms, group: 5})
	for serial := range event.Serial(2) {
		h.issue(issue{pid: 100, symbol: "ncclAllReduce", serial: serial + 1, operation: 2, sequence: 2, end: 20 * ms})
	}
	h.communicator(event.Communicator{Process: processOf(100), Task: taskOf(100), Probe: row(t, "ncclCommDestroy").ID, Serial: 1})
	h.advance(1500 * ms)
	h.issue(issue{pid: 100, symbol: "ncclAllReduce", serial: 2, operation: 3, sequence: 3, end: 1550 * ms, group: 6})
	h.advance(2800 * ms)
	h.advance(2900 * ms)
	assert.Len(t, h.tracker.groups, 1, "the other one may end")
	assert.Equal(t, 1, h.tracker.arrivals.count)
}

// What a group queued at once is waited for as one: the wait is that of the
// operation whose other rank came last, and the arrival is the same one.
func TestWaitsForGroups(t *testing.T) {
	h := newHost(t, Settings{})
	for rank := range 3 {
		h.begin(100+rank, 1, "id", 3, rank)
	}
	ring := func(pid int, group uint64, sequence uint64, end ktime.Time) {
		rank := pid - 100
		h.issue(issue{pid: pid, symbol: "ncclRecv", serial: 1, operation: uint32(2*sequence - 1), sequence: sequence, end: end - 20, group: group, peer: (rank + 2) % 3})
		h.issue(issue{pid: pid, symbol: "ncclSend", serial: 1, operation: uint32(2 * sequence), sequence: sequence, end: end - 10, group: group, peer: (rank + 1) % 3})
		h.endGroup(pid, group, end, 0)
	}
	for pid := 100; pid < 103; pid++ {
		ring(pid, 1, 1, 5*ms)
	}
	ring(100, 2, 2, 10*ms)
	ring(102, 2, 2, 11*ms)
	ring(101, 2, 2, 40*ms)
	h.sync(102, 11*ms, 42*ms, event.Completed{Serial: 1, Operation: 4})
	h.advance(farFuture)
	var waited, arrived []string
	for _, o := range h.told {
		if o.Task == taskOf(102) && o.Wait != (Wait{}) {
			peer, _ := o.PeerWait()
			waited = append(waited, o.Name())
			assert.Equal(t, 29*time.Millisecond-5, peer)
			last, late, _ := o.WaitedFor()
			assert.True(t, late)
			assert.Equal(t, 1, last.Communicator.Rank)
		}
		if o.Task == taskOf(101) && o.Sequence == 2 {
			assert.Equal(t, 5*ms, o.Previous, o.Name())
			assert.EqualValues(t, 2, o.Arrivals, o.Name())
		}
	}
	for _, o := range h.arrived {
		arrived = append(arrived, o.Name())
	}
	assert.Equal(t, []string{"Recv"}, waited)
	assert.Equal(t, []string{"Recv", "Recv", "Recv", "Recv", "Recv", "Recv"}, arrived, "once per group")
}
