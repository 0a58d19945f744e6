package collective

import (
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
	again   []*Operation
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

// cut says that a call ends what is open on the first communicator of process 100, with so many operations.
func (h *host) cut(symbol string, operations uint64) {
	const pid, serial = 100, 1
	h.communicator(event.Communicator{Process: processOf(pid), Task: taskOf(pid), Probe: row(h.t, symbol).ID, Serial: serial, Value: operations, Cut: true})
}

// issue is an operation whose call returned at end.
type issue struct {
	pid       int
	symbol    string
	serial    event.Serial
	operation uint32
	sequence  uint64
	end       ktime.Time
	took      time.Duration // of the call; 0: next to nothing
	group     uint64
	result    int32
	root      int
	peer      int
	running   time.Duration // of the thread, since it began
}

func (h *host) issue(i issue) {
	p := row(h.t, i.symbol)
	r := event.Collective{
		Task: taskOf(i.pid), Probe: p.ID, Start: i.end.Add(-max(i.took, 10)), End: i.end, Group: i.group,
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
	h.endGroupAfter(pid, group, end-5, end, result)
}

// endGroupAfter ends a group by a call that lasts from start to end.
func (h *host) endGroupAfter(pid int, group uint64, start, end ktime.Time, result int32) {
	h.tracker.Add(&event.Record{Kind: event.KindCollective, Collective: event.Collective{
		Task: taskOf(pid), Probe: row(h.t, "ncclGroupEnd").ID, Start: start, End: end, Group: group, Result: result,
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
		Again: func(o *Operation) {
			assert.Contains(h.t, h.told, o)
			h.again = append(h.again, o)
		},
	})
	return h.told[from:]
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
