package scenario

import (
	"strings"
	"time"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
	"github.com/gpucause/gpucause/internal/probe"
)

// communicator reads a communicator that ncclCommInitRankConfig made, or that was
// there before.
func (s *Story) communicator(l *line) {
	r := event.Communicator{Task: s.task(l, l.word()), At: Epoch, Serial: event.Serial(l.id(l.word()))}
	row := l.function("ncclCommInitRankConfig")
	for l.more() {
		switch name, value, _ := strings.Cut(l.word(), "="); name {
		case "id":
			copy(r.Identity[:], value)
		case "size":
			r.Args[row.Communicator.Size] = l.number(value)
		case "rank":
			r.Args[row.Communicator.Rank] = l.number(value)
		case "late":
			row = l.function("ncclAllReduce")
		default:
			l.fail("%q is not a detail of a communicator", name)
		}
	}
	r.Probe = row.ID
	s.arrives = append(s.arrives, arrival{at: Epoch, record: event.Record{Kind: event.KindCommunicator, Communicator: r}})
}

func (l *line) function(symbol string) *probe.Probe {
	row, found := probe.Find(symbol)
	if !found {
		l.fail("%s is not in the catalogue", symbol)
	}
	return &row
}

// repetition is how often something happens: at intervals of every.
type repetition struct {
	times uint64
	every time.Duration
}

// detail takes in a detail of a line, if it is one of a repetition.
func (r *repetition) detail(l *line, name, value string) bool {
	switch name {
	case "repeat":
		r.times = l.number(value)
	case "every":
		r.every = l.duration(value)
	default:
		return false
	}
	return true
}

// collective reads an operation of NCCL. The states are what its thread did since
// its operation before; order makes a ledger of them.
func (s *Story) collective(l *line) {
	r := event.Collective{Task: s.task(l, l.word()), Serial: event.Serial(l.id(l.word()))}
	row := l.function(l.word())
	r.Probe = row.ID
	r.Start, r.End = l.times(l.word())
	repeat := repetition{times: 1}
	for l.more() {
		if name, value, _ := strings.Cut(l.word(), "="); !repeat.detail(l, name, value) {
			collectiveDetail(l, &r, row, name, value)
		}
	}
	for range repeat.times {
		s.arrives = append(s.arrives, arrival{at: r.End, record: event.Record{Kind: event.KindCollective, Collective: r}})
		r.Start, r.End = r.Start.Add(repeat.every), r.End.Add(repeat.every)
	}
}

func collectiveDetail(l *line, r *event.Collective, row *probe.Probe, name, value string) {
	argument := map[string]uint8{
		"count": row.Operation.Count, "datatype": row.Operation.Datatype, "reduction": row.Operation.Reduction,
		"root": row.Operation.Root, "peer": row.Operation.Peer, "stream": row.StreamSlot,
	}
	switch slot, found := argument[name]; {
	case found && int(slot) < len(r.Args):
		r.Args[slot] = l.number(value)
	case found:
		l.fail("%s has no argument %s", row.Symbol, name)
	case name == "result":
		r.Result = int32(l.number(value))
	case name == "launches":
		r.Launches = uint32(l.number(value))
	case name == "cycle":
		r.CycleStart = l.time(value)
	default:
		r.Ledger[ledgerState(l, name)] += l.duration(value)
	}
}

// complete reads a call that waited for all operations of a communicator so far,
// or found them complete.
func (s *Story) complete(l *line) {
	r := event.Completion{Task: s.task(l, l.word())}
	r.Completed[0].Serial = event.Serial(l.id(l.word()))
	r.Probe = l.function(l.word()).ID
	r.Start, r.End = l.times(l.word())
	repeat := repetition{times: 1}
	for l.more() {
		name, value, _ := strings.Cut(l.word(), "=")
		if name == "pending" {
			r.Pending = l.time(value)
		} else if !repeat.detail(l, name, value) {
			l.fail("%q is not a detail of a completion", name)
		}
	}
	for range repeat.times {
		s.arrives = append(s.arrives, arrival{at: r.End, record: event.Record{Kind: event.KindCompletion, Completion: r}})
		r.Start, r.End = r.Start.Add(repeat.every), r.End.Add(repeat.every)
	}
}

// end is one rank's end of a communicator.
type end struct {
	pid    event.PID
	serial event.Serial
}

// counter counts as the Linux kernel side does, over records in their order.
type counter struct {
	operations map[end]uint32
	sequences  map[sequence]uint64
	ledgers    map[event.Thread]event.Ledger
	until      map[event.Thread]ktime.Time
}

// sequence is what is numbered alike on all ranks of an operation: the
// collectives, or what is sent to or received from a peer.
type sequence struct {
	end
	role probe.Role
	peer uint64
}

func newCounter() *counter {
	return &counter{
		operations: make(map[end]uint32),
		sequences:  make(map[sequence]uint64),
		ledgers:    make(map[event.Thread]event.Ledger),
		until:      make(map[event.Thread]ktime.Time),
	}
}

func (c *counter) collective(r *event.Collective) {
	c.spend(r)
	if row := probe.Get(r.Probe); r.Result == 0 || r.Result == row.Benign {
		c.number(r, row)
	}
}

func (c *counter) number(r *event.Collective, row *probe.Probe) {
	at := end{r.Task.Thread.PID, r.Serial}
	c.operations[at]++
	r.Operation = c.operations[at]

	numbered := sequence{end: at, role: row.Role}
	if int(row.Operation.Peer) < len(r.Args) {
		numbered.peer = r.Args[row.Operation.Peer]
	}
	c.sequences[numbered]++
	r.Sequence = c.sequences[numbered]
}

func (c *counter) spend(r *event.Collective) {
	since := c.until[r.Task.Thread]
	if since == 0 {
		since = Epoch
	}
	r.Ledger[event.LedgerRunning] += r.End.Sub(since) - r.Ledger.Total()
	for state, before := range c.ledgers[r.Task.Thread] {
		r.Ledger[state] += before
	}
	c.ledgers[r.Task.Thread], c.until[r.Task.Thread] = r.Ledger, r.End
}

func (c *counter) completion(r *event.Completion) {
	r.Completed[0].Operation = c.operations[end{r.Task.Thread.PID, r.Completed[0].Serial}]
}
