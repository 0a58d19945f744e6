package collective

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
)

// A group that never ends, and one of a process that is gone, leave nothing.
func TestUnfinishedBusinessIsTold(t *testing.T) {
	h := newHost(t, Settings{Timeout: time.Second})
	h.begin(100, 1, "a", 2, 0)
	h.issue(issue{pid: 100, symbol: "ncclAllReduce", serial: 1, operation: 1, sequence: 1, end: 10 * ms, group: 5})
	assert.Empty(t, h.advance(900*ms))
	assert.Len(t, h.advance(1010*ms), 1)

	h.issue(issue{pid: 100, symbol: "ncclAllReduce", serial: 1, operation: 2, sequence: 2, end: 1100 * ms})
	h.tracker.Add(&event.Record{Kind: event.KindProcess, Process: event.ProcessChange{Task: taskOf(100), Kind: event.ProcessExited, At: 1200 * ms}})
	told := h.advance(1300 * ms)
	require.Len(t, told, 1)
	assert.Zero(t, told[0].Completed)
	h.advance(10_000 * ms)
	stats := h.tracker.Stats()
	assert.Zero(t, stats.Communicators)
	assert.Zero(t, stats.Held)
	assert.Empty(t, h.tracker.open)
	assert.Empty(t, h.tracker.arrivals.of)
	assert.Zero(t, h.tracker.arrivals.count)
	assert.Zero(t, h.tracker.grouped)
	assert.Zero(t, h.tracker.followed)
	assert.Empty(t, h.tracker.groups)
	assert.Equal(t, uint64(2), stats.Incomplete)
}

// Of the operations that do not complete the first is worth a span, which is the one
// that hangs, and the latest, to tell how far the rank came; that a job never asks is
// no reason for spans of all it does.
func TestOperationsThatAreNotSeenToComplete(t *testing.T) {
	h := newHost(t, Settings{Timeout: time.Second, SampleEvery: -1})
	h.begin(100, 1, "a", 2, 0)
	for n := range uint32(5) {
		h.issue(issue{pid: 100, symbol: "ncclAllReduce", serial: 1, operation: n + 1, sequence: uint64(n) + 1, end: ktime.Time(10+n) * ms})
	}
	told := h.advance(1500 * ms)
	require.Len(t, told, 5)
	for n, o := range told {
		assert.Equal(t, n == 0 || n == 4, h.tracker.Worth(o))
	}
	h.sync(100, 20*ms, 1600*ms, event.Completed{Serial: 1, Operation: 5})
	assert.Equal(t, uint64(5), h.tracker.Stats().Late)
	assert.Empty(t, h.advance(farFuture))
	assert.Len(t, h.again, 5)
}

// An arrival is compared with the same thread's before on the communicator.
func TestArrivals(t *testing.T) {
	h := newHost(t, Settings{})
	h.begin(100, 1, "a", 2, 0)
	h.begin(100, 2, "b", 2, 0)
	h.issue(issue{pid: 100, symbol: "ncclAllReduce", serial: 1, operation: 1, sequence: 1, end: 10 * ms, running: 5 * time.Millisecond})
	h.issue(issue{pid: 100, symbol: "ncclAllReduce", serial: 2, operation: 1, sequence: 1, end: 12 * ms, running: 6 * time.Millisecond})
	h.issue(issue{pid: 100, symbol: "ncclAllReduce", serial: 1, operation: 2, sequence: 2, end: 30 * ms, running: 9 * time.Millisecond})
	told := h.advance(farFuture)
	require.Len(t, told, 3)
	assert.Zero(t, told[0].Previous)
	assert.Zero(t, told[1].Previous)
	assert.Equal(t, 10*ms, told[2].Previous)
	assert.Equal(t, 4*time.Millisecond, told[2].Arrival[event.LedgerRunning])
	assert.Equal(t, uint64(2), told[2].Arrivals)
}

// The same operations are sampled on every rank, about as many as wanted.
func TestSamplingIsTheSameOnAllRanks(t *testing.T) {
	sampled := map[int]map[uint64]bool{}
	for rank := range 2 {
		h := newHost(t, Settings{SampleEvery: 10, HostID: string(rune('a' + rank))})
		h.begin(100+rank, event.Serial(rank+1), "id", 2, rank)
		for n := range uint32(1000) {
			h.issue(issue{pid: 100 + rank, symbol: "ncclAllReduce", serial: event.Serial(rank + 1), operation: n + 1, sequence: uint64(n) + 1, end: ktime.Time(10+n) * ms})
		}
		sampled[rank] = map[uint64]bool{}
		for _, o := range h.advance(farFuture) {
			if o.Sampled {
				sampled[rank][o.Sequence] = true
			}
		}
	}
	assert.Equal(t, sampled[0], sampled[1])
	assert.InDelta(t, 100, len(sampled[0]), 40)
}

// What cannot be known is not told: late communicators, full tables, lost records.
func TestWhatIsNotKnown(t *testing.T) {
	h := newHost(t, Settings{MaxCommunicators: 2})
	late := h.communicator(event.Communicator{Process: processOf(100), Task: taskOf(100), Probe: row(t, "ncclAllReduce").ID, Serial: 1, Handle: 0x1000})
	require.NotNil(t, late)
	assert.True(t, late.Late)
	assert.False(t, late.Complete())
	h.issue(issue{pid: 100, symbol: "ncclAllReduce", serial: 1, operation: 1, sequence: 1, end: 10 * ms})
	h.issue(issue{pid: 100, symbol: "ncclAllReduce", serial: 9, operation: 1, sequence: 1, end: 10 * ms})
	h.sync(100, 11*ms, 12*ms, event.Completed{Serial: 9, Operation: 1})
	h.begin(100, 2, "a", 2, 0)
	assert.Nil(t, h.begin(100, 3, "b", 2, 0))
	assert.Nil(t, h.begin(100, 0, "c", 2, 0))
	told := h.advance(farFuture)
	require.Len(t, told, 1)
	assert.Zero(t, told[0].Number())
	assert.False(t, told[0].Sampled)
	_, ok, _ := told[0].WaitedFor()
	assert.False(t, ok)
	stats := h.tracker.Stats()
	assert.Equal(t, uint64(2), stats.Unknown)
	assert.Equal(t, uint64(2), stats.Refused)
	assert.Equal(t, uint64(1), stats.Unidentified)

	h.tracker.Resolve(100, 1, Read{Hash: 5, Rank: 3, Size: 8})
	assert.True(t, late.Complete())
	assert.Equal(t, 3, late.Rank)
	h.issue(issue{pid: 100, symbol: "ncclAllReduce", serial: 1, operation: 2, sequence: 2, end: 20 * ms})
	assert.Zero(t, h.advance(farFuture)[0].Number(), "its number is not that of the other ranks")
}

// Queries tell when an operation was complete, and when it, or what came after it, was
// not yet.
func TestQueries(t *testing.T) {
	h := newHost(t, Settings{})
	h.begin(100, 1, "id", 2, 0)
	h.issue(issue{pid: 100, symbol: "ncclAllReduce", serial: 1, operation: 1, sequence: 1, end: 10 * ms})
	h.seen(100, "cudaEventQuery", 20*ms, 20*ms+5, event.Completed{Serial: 1, Operation: 1})
	told := h.advance(farFuture)
	require.Len(t, told, 1)
	assert.Equal(t, 20*ms+5, told[0].Completed)
	assert.Equal(t, 20*ms-100, told[0].Pending)
	assert.Zero(t, told[0].Wait)
}

func TestHeldOperationsAreBounded(t *testing.T) {
	h := newHost(t, Settings{MaxOperations: 10})
	h.begin(100, 1, "id", 2, 0)
	for n := range uint32(100) {
		h.issue(issue{pid: 100, symbol: "ncclAllReduce", serial: 1, operation: n + 1, sequence: uint64(n) + 1, end: ktime.Time(10+n) * ms})
	}
	stats := h.tracker.Stats()
	assert.Equal(t, 10, stats.Held)
	assert.Equal(t, uint64(90), stats.Evicted)
}

func TestSizes(t *testing.T) {
	h := newHost(t, Settings{})
	h.begin(100, 1, "id", 4, 0)
	h.issue(issue{pid: 100, symbol: "ncclAllReduce", serial: 1, operation: 1, sequence: 1, end: 10 * ms})
	h.issue(issue{pid: 100, symbol: "ncclAllGather", serial: 1, operation: 2, sequence: 2, end: 11 * ms})
	told := h.advance(farFuture)
	assert.Equal(t, uint64(2000), told[0].Size())
	assert.Equal(t, uint64(8000), told[1].Size())
}

func BenchmarkAllReduce(b *testing.B) {
	const ranks = 8
	tracker := New(Settings{})
	init, reduce, sync := row(b, "ncclCommInitRankConfig"), row(b, "ncclAllReduce").ID, row(b, "cudaStreamSynchronize").ID
	for rank := range ranks {
		r := event.Communicator{Process: processOf(100 + rank), Task: taskOf(100 + rank), Probe: init.ID, Serial: 1, Identity: identityOf("id")}
		r.Args[init.Communicator.Size], r.Args[init.Communicator.Rank] = ranks, uint64(rank)
		tracker.Add(&event.Record{Kind: event.KindCommunicator, Communicator: r})
	}
	now := ms
	b.ReportAllocs()
	for n := uint32(1); b.Loop(); n++ {
		now += ms
		for rank := range ranks {
			tracker.Add(&event.Record{Kind: event.KindCollective, Collective: event.Collective{
				Task: taskOf(100 + rank), Probe: reduce, Start: now, End: now + 1, Serial: 1, Operation: n, Sequence: uint64(n),
			}})
			tracker.Add(&event.Record{Kind: event.KindCompletion, Completion: event.Completion{
				Task: taskOf(100 + rank), Probe: sync, Start: now + 2, End: now + 3,
				Completed: [event.MaxDependencies]event.Completed{{Serial: 1, Operation: n}},
			}})
		}
		tracker.Advance(now, Handler{})
	}
}

// A wait is remembered until the cycle is explained: many waits later, and after
// the thread's end.
func TestWaitsAreRemembered(t *testing.T) {
	h := newHost(t, Settings{})
	h.begin(100, 1, "id", 1, 0)
	for n := range uint32(500) {
		at := ktime.Time(10+10*n) * ms
		h.issue(issue{pid: 100, symbol: "ncclAllReduce", serial: 1, operation: n + 1, sequence: uint64(n) + 1, end: at})
		h.sync(100, at+ms, at+2*ms, event.Completed{Serial: 1, Operation: n + 1})
	}
	h.tracker.Add(&event.Record{Kind: event.KindProcess, Process: event.ProcessChange{Kind: event.ProcessExited, Task: taskOf(100), At: 5100 * ms}})
	h.advance(5200 * ms)
	o, ok := h.tracker.LongestWait(taskOf(100).Thread, 10*ms, 20*ms)
	require.True(t, ok)
	assert.EqualValues(t, 1, o.Operation)
	h.advance(100_000 * ms)
	h.advance(200_000 * ms)
	_, ok = h.tracker.LongestWait(taskOf(100).Thread, 10*ms, 20*ms)
	assert.False(t, ok, "nobody asks any more")
}

// The first operation that was open when its communicator was cut short, or its process
// ended, is worth a span, and what its thread waited for. So is the latest.
func TestOperationsThatAreCutShort(t *testing.T) {
	for name, end := range map[string]func(h *host){
		"abort": func(h *host) {
			h.cut("ncclCommAbort", 3)
			h.communicator(event.Communicator{Process: processOf(100), Task: taskOf(100), Probe: row(t, "ncclCommAbort").ID, Serial: 1})
		},
		"revoke": func(h *host) {
			h.cut("ncclCommRevoke", 3)
			h.sync(100, 20*ms, 40*ms, event.Completed{Serial: 1, Operation: 3})
			assert.Equal(t, 1, h.tracker.Stats().Communicators, "it is still there")
		},
		"shrink": func(h *host) {
			h.cut("ncclCommShrink", 3)
			h.communicator(event.Communicator{Process: processOf(100), Task: taskOf(100), Probe: row(t, "ncclCommShrink").ID, Serial: 2, Parent: 1, Value: 1})
			assert.Equal(t, 2, h.tracker.Stats().Communicators)
		},
		"exit": func(h *host) {
			h.tracker.Add(&event.Record{Kind: event.KindProcess, Process: event.ProcessChange{Kind: event.ProcessExited, Task: taskOf(100), At: 50 * ms}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, Settings{SampleEvery: -1})
			h.begin(100, 1, "id", 2, 0)
			for n := range uint32(3) {
				h.issue(issue{pid: 100, symbol: "ncclAllReduce", serial: 1, operation: n + 1, sequence: uint64(n) + 1, end: ktime.Time(10+n) * ms})
			}
			end(h)
			told := h.advance(farFuture)
			require.Len(t, told, 3)
			for _, o := range told {
				assert.Zero(t, o.Completed)
				assert.Equal(t, o.Operation != 2, o.Cut())
				assert.Equal(t, o.Operation != 2, h.tracker.Worth(o))
			}
			o, ok := h.tracker.LongestWait(taskOf(100).Thread, 5*ms, 60*ms)
			require.True(t, ok)
			assert.EqualValues(t, 1, o.Operation)
		})
	}
}

// What was issued before a communicator was cut short is told by its thread, which
// may be after that. What is issued later may complete.
func TestOperationsThatAreToldAfterTheCut(t *testing.T) {
	h := newHost(t, Settings{SampleEvery: -1})
	h.begin(100, 1, "id", 2, 0)
	h.cut("ncclCommShrink", 2)
	for n := range uint32(3) {
		h.issue(issue{pid: 100, symbol: "ncclAllReduce", serial: 1, operation: n + 1, sequence: uint64(n) + 1, end: ktime.Time(10+n) * ms})
	}
	h.sync(100, 20*ms, 30*ms, event.Completed{Serial: 1, Operation: 3})
	told := h.advance(farFuture)
	require.Len(t, told, 3)
	for _, o := range told {
		assert.Equal(t, o.Operation == 2, o.Cut())
		assert.Equal(t, o.Operation == 3, o.Completed != 0)
	}
}

func TestOperationsBeforeADestroy(t *testing.T) {
	h := newHost(t, Settings{SampleEvery: -1})
	h.begin(100, 1, "id", 2, 0)
	h.issue(issue{pid: 100, symbol: "ncclAllReduce", serial: 1, operation: 1, sequence: 1, end: 10 * ms})
	h.communicator(event.Communicator{Process: processOf(100), Task: taskOf(100), Probe: row(t, "ncclCommDestroy").ID, Serial: 1})
	for _, o := range h.advance(farFuture) {
		assert.False(t, h.tracker.Worth(o), "what destroys a communicator waits for it")
	}
}
