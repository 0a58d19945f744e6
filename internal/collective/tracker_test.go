package collective

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
	"github.com/gpucause/gpucause/internal/probe"
)

const ms = ktime.Time(time.Millisecond)

// host plays the processes of one host, one rank each, to a Tracker.
type host struct {
	t       *testing.T
	tracker *Tracker
	arrived []*Operation
	told    []*Operation
}

func newHost(t *testing.T, settings Settings) *host {
	return &host{t: t, tracker: New(settings)}
}

func row(t testing.TB, symbol string) probe.Probe {
	t.Helper()
	p, ok := probe.Find(symbol)
	require.True(t, ok, symbol)
	return p
}

func processOf(pid int) event.ProcessID {
	return event.ProcessID{PID: event.PID(pid), Start: ktime.Time(pid)}
}

func taskOf(pid int) event.Task {
	return event.Task{Thread: event.Thread{PID: event.PID(pid), TID: event.TID(pid)}, Comm: event.MakeComm("python3")}
}

func identityOf(text string) (id [event.IdentitySize]byte) {
	copy(id[:], text)
	return id
}

// begin makes a communicator by ncclCommInitRankConfig.
func (h *host) begin(pid int, serial event.Serial, id string, size, rank int) *Communicator {
	p := row(h.t, "ncclCommInitRankConfig")
	r := event.Communicator{Process: processOf(pid), Task: taskOf(pid), Probe: p.ID, Serial: serial, Identity: identityOf(id)}
	r.Args[p.Communicator.Size], r.Args[p.Communicator.Rank] = uint64(size), uint64(rank)
	return h.communicator(r)
}

func (h *host) communicator(r event.Communicator) *Communicator {
	return h.tracker.Add(&event.Record{Kind: event.KindCommunicator, Communicator: r})
}

// issue is an operation whose call returned at end.
type issue struct {
	pid       int
	symbol    string
	serial    event.Serial
	operation uint32
	sequence  uint64
	end       ktime.Time
	group     uint64
	result    int32
	root      int
	peer      int
	running   time.Duration // of the thread, since it began
}

func (h *host) issue(i issue) {
	p := row(h.t, i.symbol)
	r := event.Collective{
		Task: taskOf(i.pid), Probe: p.ID, Start: i.end - 10, End: i.end, Group: i.group,
		Serial: i.serial, Operation: i.operation, Sequence: i.sequence, Result: i.result,
	}
	r.Ledger[event.LedgerRunning] = i.running
	for slot, value := range map[uint8]int{p.Operation.Root: i.root, p.Operation.Peer: i.peer, p.Operation.Count: 1000, p.Operation.Datatype: 9} {
		if slot != probe.NoSlot {
			r.Args[slot] = uint64(uint32(value))
		}
	}
	h.tracker.Add(&event.Record{Kind: event.KindCollective, Collective: r})
}

func (h *host) endGroup(pid int, group uint64, end ktime.Time, result int32) {
	h.tracker.Add(&event.Record{Kind: event.KindCollective, Collective: event.Collective{
		Task: taskOf(pid), Probe: row(h.t, "ncclGroupEnd").ID, Start: end - 5, End: end, Group: group, Result: result,
	}})
}

func (h *host) sync(pid int, start, end ktime.Time, completed ...event.Completed) {
	h.seen(pid, "cudaStreamSynchronize", start, end, completed...)
}

func (h *host) seen(pid int, symbol string, start, end ktime.Time, completed ...event.Completed) {
	r := event.Completion{Task: taskOf(pid), Probe: row(h.t, symbol).ID, Start: start, End: end, Pending: start - 100}
	copy(r.Completed[:], completed)
	h.tracker.Add(&event.Record{Kind: event.KindCompletion, Completion: r})
}

func (h *host) advance(now ktime.Time) []*Operation {
	from := len(h.told)
	h.tracker.Advance(now, Handler{
		Arrived: func(o *Operation) { h.arrived = append(h.arrived, o) },
		Told: func(o *Operation) {
			if o.Enqueued != 0 && o.with == nil {
				assert.Contains(h.t, h.arrived, o)
			}
			h.told = append(h.told, o)
		},
	})
	return h.told[from:]
}

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
	}{{44, 39, true}, {35, 30, true}, {5, 0, false}} {
		o := told[n]
		assert.Equal(t, n, o.Communicator.Rank)
		assert.Equal(t, want.wait*time.Millisecond, o.Wait.Duration())
		peer, known := o.PeerWait()
		assert.True(t, known)
		assert.Equal(t, want.peer*time.Millisecond, peer)
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
}

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
	assert.Empty(t, h.tracker.latest)
	assert.Empty(t, h.tracker.groups)
	assert.Equal(t, uint64(2), stats.Incomplete)
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
	assert.Len(t, h.tracker.latest, 1)
}

// An operation that does not complete is worth a span if nothing followed it;
// that a job never asks is no reason for spans of all it does.
func TestOperationsThatAreNotSeenToComplete(t *testing.T) {
	h := newHost(t, Settings{Timeout: time.Second, SampleEvery: -1})
	h.begin(100, 1, "a", 2, 0)
	for n := range uint32(5) {
		h.issue(issue{pid: 100, symbol: "ncclAllReduce", serial: 1, operation: n + 1, sequence: uint64(n) + 1, end: ktime.Time(10+n) * ms})
	}
	told := h.advance(1500 * ms)
	require.Len(t, told, 5)
	for n, o := range told {
		assert.Equal(t, n == 4, h.tracker.Worth(o))
	}
	h.sync(100, 20*ms, 1600*ms, event.Completed{Serial: 1, Operation: 5})
	assert.Equal(t, uint64(5), h.tracker.Stats().Late)
	assert.Empty(t, h.advance(farFuture))
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

// split makes the child of a communicator that has all its ranks. Its own rank is
// not known until know tells it.
func (h *host) split(pid int, serial, parent event.Serial) {
	p := row(h.t, "ncclCommSplit")
	h.communicator(event.Communicator{Process: processOf(pid), Task: taskOf(pid), Probe: p.ID, Serial: serial, Parent: parent, Value: 1})
}

func (h *host) know(pid int, serial event.Serial, rank, size int) {
	for symbol, value := range map[string]int{"ncclCommUserRank": rank, "ncclCommCount": size} {
		h.communicator(event.Communicator{Process: processOf(pid), Probe: row(h.t, symbol).ID, Serial: serial, Value: uint64(value)})
	}
}

// Whether an operation is sampled, and who its other ranks are, does not depend on
// when the program is told the rank.
func TestRanksThatAreKnownLater(t *testing.T) {
	const operations = 20
	h := newHost(t, Settings{SampleEvery: 3})
	for rank := range 2 {
		pid := 100 + rank
		h.begin(pid, 1, "id", 2, rank)
		h.split(pid, 2, 1)
		if rank == 0 {
			h.know(pid, 2, rank, 2)
		}
		for n := range uint32(operations) {
			i := issue{pid: pid, symbol: "ncclAllReduce", serial: 2, operation: n + 1, sequence: uint64(n) + 1, end: ktime.Time(10+10*n+5*uint32(rank)) * ms}
			h.issue(i)
			i.symbol, i.peer, i.operation = []string{"ncclRecv", "ncclSend"}[rank], 1-rank, operations+n+1
			h.issue(i)
		}
		if rank == 1 {
			h.know(pid, 2, rank, 2)
		}
	}
	sampled := map[string]int{}
	h.tracker.Advance(farFuture, Handler{Told: func(o *Operation) {
		assert.Len(t, o.Ranks(), 2, "%s #%d", o.Name(), o.Sequence)
		_, late, known := o.WaitedFor()
		assert.Equal(t, o.Communicator.Rank == 0, late, "%s #%d", o.Name(), o.Sequence)
		assert.True(t, known)
		if o.Sampled {
			sampled[o.Name()]++
		}
	}})
	assert.Equal(t, sampled["Send"], sampled["Recv"])
	assert.Positive(t, sampled["Send"])
	assert.Positive(t, sampled["AllReduce"])
	assert.Zero(t, sampled["AllReduce"]%2)
}

// Of a rank that is not known it is not told who waited for it.
func TestRanksThatAreNotKnown(t *testing.T) {
	h := newHost(t, Settings{SampleEvery: 1})
	for rank := range 2 {
		h.begin(100+rank, 1, "id", 2, rank)
		h.split(100+rank, 2, 1)
		h.issue(issue{pid: 100 + rank, symbol: "ncclAllReduce", serial: 2, operation: 1, sequence: 1, end: ktime.Time(10+10*rank) * ms})
	}
	h.know(100, 2, 0, 2)
	for _, o := range h.advance(farFuture) {
		assert.True(t, o.Sampled)
		assert.Len(t, o.Ranks(), 2)
		_, late, known := o.WaitedFor()
		assert.False(t, late || known)
	}
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

// A rank whose enqueue is only bounded makes no statement about who was late.
func TestNonBlockingCommunicators(t *testing.T) {
	h := newHost(t, Settings{})
	for rank := range 2 {
		h.begin(100+rank, 1, "id", 2, rank)
	}
	h.issue(issue{pid: 100, symbol: "ncclAllReduce", serial: 1, operation: 1, sequence: 1, end: 10 * ms})
	h.issue(issue{pid: 101, symbol: "ncclAllReduce", serial: 1, operation: 1, sequence: 1, end: 20 * ms, result: 7})
	h.sync(100, 11*ms, 30*ms, event.Completed{Serial: 1, Operation: 1})
	told := h.advance(farFuture)
	assert.True(t, told[1].AtLeast)
	assert.False(t, told[1].Failed())
	_, ok, _ := told[0].WaitedFor()
	assert.False(t, ok)
	_, known := told[0].PeerWait()
	assert.False(t, known, "the other rank may have been queued at any time since")
}

// Queries tell when an operation was complete, and when it was not yet.
func TestQueries(t *testing.T) {
	h := newHost(t, Settings{})
	h.begin(100, 1, "id", 2, 0)
	h.issue(issue{pid: 100, symbol: "ncclAllReduce", serial: 1, operation: 1, sequence: 1, end: 10 * ms})
	h.seen(100, "cudaEventQuery", 20*ms, 20*ms+5, event.Completed{Serial: 1, Operation: 1})
	told := h.advance(farFuture)
	require.Len(t, told, 1)
	assert.Equal(t, 20*ms+5, told[0].Completed)
	assert.Equal(t, 20*ms-100, told[0].NotBefore)
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

// The ranks that a shrink leaves are numbered without the others.
func TestShrink(t *testing.T) {
	h := newHost(t, Settings{})
	h.begin(100, 1, "id", 8, 5)
	p := row(t, "ncclCommShrink")
	r := event.Communicator{Process: processOf(100), Task: taskOf(100), Probe: p.ID, Serial: 2, Parent: 1, Value: 1}
	for i, excluded := range []uint32{7, 1, 3} {
		binary.LittleEndian.PutUint32(r.Identity[4*i:], excluded)
	}
	r.Args[p.Communicator.IdentityCount] = 3
	c := h.communicator(r)
	assert.Equal(t, 5, c.Size)
	assert.Equal(t, 3, c.Rank)
	assert.True(t, c.Complete())

	r.Serial, r.Value = 3, 2
	r.Args[p.Communicator.IdentityCount] = 33 // the list is longer than what is read
	c2 := h.communicator(r)
	assert.Equal(t, Unknown, c2.Rank)
	assert.NotEqual(t, c.Key, c2.Key)
}

// The children of a split have the same key on all ranks of a colour, and their
// rank when the program is told it.
func TestSplit(t *testing.T) {
	p, told := row(t, "ncclCommSplit"), row(t, "ncclCommUserRank")
	keys := map[int]Key{}
	for rank := range 4 {
		h := newHost(t, Settings{})
		h.begin(100, 1, "id", 4, rank)
		r := event.Communicator{Process: processOf(100), Task: taskOf(100), Probe: p.ID, Serial: 2, Parent: 1, Value: 1}
		r.Args[p.Communicator.Colour] = uint64(rank % 2)
		c := h.communicator(r)
		keys[rank] = c.Key
		assert.Equal(t, Unknown, c.Rank)
		h.communicator(event.Communicator{Process: processOf(100), Probe: told.ID, Serial: 2, Value: uint64(rank / 2)})
		h.communicator(event.Communicator{Process: processOf(100), Probe: row(t, "ncclCommCount").ID, Serial: 2, Value: 2})
		assert.Equal(t, rank/2, c.Rank)
		assert.Equal(t, 2, c.Size)
	}
	assert.Equal(t, keys[0], keys[2])
	assert.Equal(t, keys[1], keys[3])
	assert.NotEqual(t, keys[0], keys[1])
}

// Old ranks of a grown communicator keep their rank; the root tells its key, as
// the new ranks do.
func TestGrow(t *testing.T) {
	h := newHost(t, Settings{})
	p := row(t, "ncclCommGrow")
	grown := func(pid int, serial, parent event.Serial, id string, rank int) *Communicator {
		r := event.Communicator{Process: processOf(pid), Task: taskOf(pid), Probe: p.ID, Serial: serial, Parent: parent, Value: 1, Identity: identityOf(id)}
		r.Args[p.Communicator.Size], r.Args[p.Communicator.Rank] = 3, uint64(uint32(rank))
		return h.communicator(r)
	}
	h.begin(100, 1, "id", 2, 0)
	h.begin(101, 1, "id", 2, 1)
	other := grown(101, 2, 1, "", -1)
	assert.False(t, other.Complete())
	root := grown(100, 2, 1, "grown", -1)
	fresh := grown(102, 2, 0, "grown", 2)
	for rank, c := range []*Communicator{root, other, fresh} {
		assert.Equal(t, rank, c.Rank)
		assert.Equal(t, 3, c.Size)
		assert.Equal(t, root.Key, c.Key)
	}
}

// All communicators of one process are its own.
func TestInitAll(t *testing.T) {
	p := row(t, "ncclCommInitAll")
	all := func(h *host, serial event.Serial) (keys [2]Key) {
		for i := range 2 {
			r := event.Communicator{Process: processOf(100), Task: taskOf(100), Probe: p.ID, Serial: serial + event.Serial(i), Value: uint64(i)}
			r.Args[p.Communicator.Size] = 2
			c := h.communicator(r)
			assert.Equal(t, i, c.Rank)
			assert.Equal(t, 2, c.Size)
			keys[i] = c.Key
		}
		return keys
	}
	h := newHost(t, Settings{HostID: "a"})
	first, second := all(h, 1), all(h, 11)
	assert.Equal(t, first[0], first[1])
	assert.Equal(t, second[0], second[1])
	assert.NotEqual(t, first[0], second[0])
	assert.NotEqual(t, first[0], all(newHost(t, Settings{HostID: "b"}), 1)[0])
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
			assert.Equal(t, 29*time.Millisecond, peer)
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

// The latest operation that was open when its communicator was aborted, or its
// process ended, is worth a span, and what its thread waited for.
func TestOperationsThatAreCutShort(t *testing.T) {
	for name, end := range map[string]func(h *host){
		"abort": func(h *host) {
			h.communicator(event.Communicator{Process: processOf(100), Task: taskOf(100), Probe: row(t, "ncclCommAbort").ID, Serial: 1})
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
				assert.Equal(t, o.Operation == 3, o.Cut())
				assert.Equal(t, o.Operation == 3, h.tracker.Worth(o))
			}
			o, ok := h.tracker.LongestWait(taskOf(100).Thread, 5*ms, 60*ms)
			require.True(t, ok)
			assert.EqualValues(t, 3, o.Operation)
		})
	}
	h := newHost(t, Settings{SampleEvery: -1})
	h.begin(100, 1, "id", 2, 0)
	h.issue(issue{pid: 100, symbol: "ncclAllReduce", serial: 1, operation: 1, sequence: 1, end: 10 * ms})
	h.communicator(event.Communicator{Process: processOf(100), Task: taskOf(100), Probe: row(t, "ncclCommDestroy").ID, Serial: 1})
	for _, o := range h.advance(farFuture) {
		assert.False(t, h.tracker.Worth(o), "what destroys a communicator waits for it")
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
