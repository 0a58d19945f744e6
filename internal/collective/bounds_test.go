package collective

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
)

// small are settings that leave little room.
var small = Settings{MaxOpen: 10, MaxMeetings: 10, MaxThreads: 10, SampleEvery: -1}

// Of the operations that do not complete only so many are remembered. The communicator
// that has the most pays for it, and the others' are seen to complete.
func TestOpenOperationsAreBounded(t *testing.T) {
	h := newHost(t, small)
	h.begin(100, 1, "a", 2, 0)
	h.begin(101, 1, "b", 2, 0)
	h.issue(issue{pid: 101, symbol: "ncclAllReduce", serial: 1, operation: 1, sequence: 1, end: 5 * ms})
	for n := uint32(1); n <= 1000; n++ {
		h.issueAll(n, n, ktime.Time(n)*ms)
		require.LessOrEqual(t, h.tracker.followed, 10)
	}
	h.sync(101, 1001*ms, 1002*ms, event.Completed{Serial: 1, Operation: 1})
	h.sync(100, 1001*ms, 1002*ms, event.Completed{Serial: 1, Operation: 1000})
	completed := 0
	for _, o := range h.advance(farFuture) {
		if o.Completed != 0 {
			completed++
		}
	}
	forgotten := h.tracker.Stats().NoRoom.Open
	assert.GreaterOrEqual(t, forgotten, uint64(990))
	assert.EqualValues(t, 1001-forgotten, completed)
	assert.Len(t, h.told, 1001)
	assert.Zero(t, h.tracker.followed)
	assert.Empty(t, h.tracker.open)
}

// What is the first open operation is not known where older ones are forgotten.
func TestTheFirstOfForgottenOnesIsNotTold(t *testing.T) {
	h := newHost(t, small)
	h.begin(100, 1, "a", 2, 0)
	h.issueAll(1, 100, 10*ms)
	h.advanceTo(second, 11*second)
	assert.Equal(t, []uint64{100}, h.worth(h.told))
}

func TestGroupsAreBounded(t *testing.T) {
	h := newHost(t, small)
	h.begin(100, 1, "a", 2, 0)
	for n := range uint32(100) {
		h.issue(issue{pid: 100, symbol: "ncclAllReduce", serial: 1, operation: n + 1, sequence: uint64(n) + 1, end: ktime.Time(n+1) * ms, group: 5})
	}
	assert.Equal(t, 10, h.tracker.grouped)
	assert.EqualValues(t, 90, h.tracker.Stats().NoRoom.Groups)
	h.issue(issue{pid: 100, symbol: "ncclAllReduce", serial: 1, operation: 101, sequence: 101, end: 200 * ms, group: 6})
	assert.Equal(t, 1, h.tracker.grouped, "the thread is in another group: the end of the first was lost")
	assert.EqualValues(t, 100, h.tracker.Stats().NoRoom.Groups)
	h.endGroup(100, 5, 201*ms, 0)
	h.endGroup(100, 6, 202*ms, 0)
	assert.Zero(t, h.tracker.grouped)
	queued := 0
	for _, o := range h.advance(farFuture) {
		if o.Enqueued != 0 {
			queued++
		}
	}
	assert.Equal(t, 1, queued)
	assert.Len(t, h.told, 101)
}

// thread is a record of a thread that is not its process's first.
func (h *host) thread(tid event.TID, serial event.Serial, group uint64, end ktime.Time) {
	h.tracker.Add(&event.Record{Kind: event.KindCollective, Collective: event.Collective{
		Task: event.Task{Thread: event.Thread{PID: 100, TID: tid}}, Probe: row(h.t, "ncclAllReduce").ID, Start: end - 10, End: end, Group: group,
		Serial: serial, Operation: uint32(tid), Sequence: uint64(tid),
	}})
}

// Of threads that come and go nothing stays, whether or not their process does.
func TestThreadsThatAreGoneAreForgotten(t *testing.T) {
	h := newHost(t, small)
	for serial := range event.Serial(2) {
		h.begin(100, serial+1, fmt.Sprint(serial), 2, 0)
	}
	for n := range 1000 {
		tid, at := event.TID(1000+n), ktime.Time(n+1)*ms
		h.thread(tid, 1, 0, at)
		h.thread(tid, 2, 0, at+20)
		h.thread(tid, 1, 5, at+40)
		exited := event.ProcessChange{Kind: event.ThreadExited, Task: event.Task{Thread: event.Thread{PID: 100, TID: tid}}, At: at + 60}
		h.tracker.Add(&event.Record{Kind: event.KindProcess, Process: exited})
		assert.Empty(t, h.tracker.arrivals.of)
		assert.Zero(t, h.tracker.arrivals.count)
		assert.Empty(t, h.tracker.groups)
	}
	assert.Zero(t, h.tracker.Stats().NoRoom.Arrivals)
	assert.Zero(t, h.tracker.Stats().NoRoom.Groups)
}

// What is not remembered for want of room is counted, each for itself.
func TestWhatIsNotRememberedIsCounted(t *testing.T) {
	h := newHost(t, Settings{MaxMeetings: 10, MaxThreads: 10})
	h.begin(100, 1, "a", 2, 0)
	for n := range 15 {
		tid, at := event.TID(1000+n), ktime.Time(n+1)*ms
		h.thread(tid, 1, 0, at)
		c := event.Completion{Task: event.Task{Thread: event.Thread{PID: 100, TID: tid}}, Probe: row(t, "cudaStreamSynchronize").ID, Start: at, End: at + 5}
		c.Completed[0] = event.Completed{Serial: 1, Operation: uint32(tid)}
		h.tracker.Add(&event.Record{Kind: event.KindCompletion, Completion: c})
	}
	assert.Equal(t, NoRoom{Arrivals: 5, Waits: 5, Meetings: 5}, h.tracker.Stats().NoRoom)
}

func TestGrowthsAreBounded(t *testing.T) {
	h := newHost(t, Settings{})
	for n := range uint64(maxGrowths + 1) {
		h.tracker.noteGrowth(growth{child: n}, Key{1})
		h.tracker.waitForGrowth(growth{child: 1<<32 + n}, &Communicator{})
	}
	assert.Len(t, h.tracker.growths, 1)
	assert.Len(t, h.tracker.unnamed, 1)
	assert.EqualValues(t, 2*maxGrowths, h.tracker.Stats().NoRoom.Growths)
}

// Whatever happens, in whatever order, the counts are those of what is held, and what
// is held is within bounds.
func TestBoundsHold(t *testing.T) {
	for seed := range uint64(10) {
		random := rand.New(rand.NewPCG(seed, 0))
		settings := small
		settings.MaxOperations, settings.Timeout = 20, time.Second
		h := newHost(t, settings)
		next := map[int]uint32{}
		for now := ms; now < 20*second; now += ktime.Time(random.IntN(50)) * ms {
			pid := 100 + random.IntN(4)
			group := uint64(random.IntN(3))
			switch random.IntN(12) {
			case 0:
				h.begin(pid, 1, "id", 4, pid-100)
			case 1:
				h.endGroup(pid, group, now, int32(random.IntN(2)*4))
			case 2:
				h.sync(pid, now-5, now, event.Completed{Serial: 1, Operation: next[pid] - uint32(random.IntN(3))})
			case 3:
				kinds := []event.ProcessChangeKind{event.ThreadExited, event.ThreadExited, event.ThreadExited, event.ProcessExited}
				change := event.ProcessChange{Kind: kinds[random.IntN(len(kinds))], Task: taskOf(pid), At: now}
				h.tracker.Add(&event.Record{Kind: event.KindProcess, Process: change})
			case 4:
				h.tracker.Advance(now, Handler{})
			default:
				next[pid]++
				h.issue(issue{pid: pid, symbol: "ncclAllReduce", serial: 1, operation: next[pid], sequence: uint64(next[pid]), end: now, group: group})
			}
			h.checkBounds(settings)
		}
	}
}

func (h *host) checkBounds(settings Settings) {
	open, grouped, arrivals := 0, 0, 0
	for _, o := range h.tracker.open {
		require.NotEmpty(h.t, o.list)
		open += len(o.list)
	}
	for _, g := range h.tracker.groups {
		require.NotEmpty(h.t, g.operations)
		grouped += len(g.operations)
	}
	for _, of := range h.tracker.arrivals.of {
		arrivals += len(of)
	}
	require.Equal(h.t, open, h.tracker.followed)
	require.Equal(h.t, grouped, h.tracker.grouped)
	require.Equal(h.t, arrivals, h.tracker.arrivals.count)
	require.LessOrEqual(h.t, open, settings.MaxOpen)
	require.LessOrEqual(h.t, grouped, settings.MaxOpen)
	require.LessOrEqual(h.t, arrivals, settings.MaxThreads)
	require.LessOrEqual(h.t, len(h.tracker.pending), settings.MaxOperations)
	require.LessOrEqual(h.t, len(h.tracker.meetings), settings.MaxMeetings)
}
