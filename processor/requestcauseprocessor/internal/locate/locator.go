package locate

import (
	"net/netip"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/group"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/process"
)

// Bounds of what is kept, and for how long.
const (
	maxDecisions = 4096
	maxPeers     = 4096

	// lookEvery is how long what was read of this machine's processes is taken to
	// hold.
	lookEvery = 10 * time.Second
	// lookPause is the shortest time between two looks.
	lookPause = time.Second
	// remember is for how long a process that has ended is remembered: its last
	// spans come later than its end.
	remember = time.Minute
)

// Procs looks at the processes of this machine.
type Procs interface {
	// Relatives returns processes and those related to them by descent, and whether
	// these are all.
	Relatives(of []int64) (found process.Relatives, all bool)
	// Owner returns which of the processes has the TCP connection with this local
	// end. Foreign: the connection is on this machine, and none of them has it.
	Owner(local netip.AddrPort, among process.Relatives) (pid int64, foreign bool)
}

// Known is what is known of traced processes. It is called by one goroutine at a
// time.
type Known interface {
	// Traced returns all traced processes, and a number that changes with them.
	Traced() ([]*process.Traced, uint64)
	// Changes returns that number.
	Changes() uint64
	// Knows reports whether stalls of a thread are known.
	Knows(of process.ID, tid int64) bool
}

// Settings say where to look.
type Settings struct {
	// HostID and HostName are of this machine, as the receiver writes them; HostID
	// is empty where its processes cannot be looked at.
	HostID, HostName string
	Evidence         []group.Evidence
}

// Stats are totals since the Locator was made.
type Stats struct {
	Looks        uint64 // at this machine's processes
	LooksCut     uint64 // of them, those that left some out
	StartsLost   uint64 // starts of vLLM that were forgotten for others
	Peers        uint64 // connections that were looked for
	PeersFound   uint64
	PeersForeign uint64
	Dropped      uint64 // decisions and peers that had no room and were made anew
}

// Locator finds process groups. It may be used from several goroutines.
type Locator struct {
	settings Settings
	procs    Procs // nil where there is none
	known    Known

	mu        sync.Mutex
	startups  *group.Startups
	view      *group.View
	viewed    uint64 // of Known.Changes
	relatives relatives
	decisions map[question]group.Decision
	peers     map[netip.AddrPort]Met
	stats     Stats
}

// question is what a decision is the answer to.
type question struct {
	sender process.Sender
	at     group.Connection
}

// Met is what was found of the process at a sender's end of the connection while
// that could be looked at. The zero Met says nothing.
type Met struct {
	connection group.Connection
	start      uint64 // of the process
}

// New returns a Locator.
func New(settings Settings, procs Procs, known Known) *Locator {
	return &Locator{
		settings: settings, procs: procs, known: known,
		startups:  group.NewStartups(),
		decisions: make(map[question]group.Decision),
		peers:     make(map[netip.AddrPort]Met),
	}
}

// NoteStartup notes that a process has a part in a start.
func (l *Locator) NoteStartup(trace pcommon.TraceID, sender process.Sender) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.startups.Note(trace, sender) {
		clear(l.decisions)
	}
}

// Meet looks for the process at a sender's end of the connection. What it finds is
// for Locate, when the connection may be closed. That somebody else has it is not
// kept where there was nobody yet whose it could have been.
func (l *Locator) Meet(from process.Peer) Met {
	l.mu.Lock()
	defer l.mu.Unlock()
	met := l.connection(from)
	if len(l.relatives.all) == 0 {
		return Met{}
	}
	return met
}

// Locate returns which traced processes serve a sender, of whom met was found
// before.
func (l *Locator) Locate(sender *process.Sender, met Met) group.Decision {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.update()
	return l.decide(sender, met)
}

// LocateThread returns which thread a span is of that names it.
func (l *Locator) LocateThread(sender *process.Sender, met Met, hostID string, tid int64) group.Decision {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.update()
	return l.view.DecideThread(hostID, tid, sender, l.decide(sender, met), l.known.Knows)
}

// Stamp returns what another instance reads a decision from.
func (l *Locator) Stamp(d *group.Decision) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.view == nil {
		return ""
	}
	return l.view.Stamp(d)
}

// Stats returns the totals.
func (l *Locator) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stats.StartsLost = l.startups.Evicted()
	return l.stats
}

func (l *Locator) decide(sender *process.Sender, met Met) group.Decision {
	q := question{sender: *sender, at: l.at(sender.Peer, met)}
	if kept, ok := l.decisions[q]; ok {
		return kept
	}
	d := l.view.Decide(sender, q.at)
	if len(l.decisions) >= maxDecisions {
		l.stats.Dropped += uint64(len(l.decisions))
		clear(l.decisions)
	}
	l.decisions[q] = d
	return d
}

// at returns what is known of the process at the sender's end. The process that
// was met there counts first, for the port may be another's since; that it was
// somebody else counts where nothing can be found any more.
func (l *Locator) at(from process.Peer, met Met) group.Connection {
	if l.remembers(met) {
		return met.connection
	}
	found := l.connection(from).connection
	if found == (group.Connection{}) {
		found.Foreign = met.connection.Foreign
	}
	return found
}

// remembers reports whether a process was met, and is still known.
func (l *Locator) remembers(met Met) bool {
	r := l.relatives.all[met.connection.PID]
	return r != nil && r.Start == met.start
}

// connection looks for the process at the sender's end, once for a time.
func (l *Locator) connection(from process.Peer) Met {
	if l.procs == nil || from.Addr.Port() == 0 {
		return Met{}
	}
	if kept, ok := l.peers[from.Addr]; ok {
		return kept
	}
	pid, foreign := l.procs.Owner(from.Addr, l.relatives.all)
	l.stats.Peers++
	found := Met{connection: group.Connection{PID: pid, Foreign: foreign}}
	if r := l.relatives.all[pid]; r != nil {
		found.start = r.Start
		l.stats.PeersFound++
	} else if foreign {
		l.stats.PeersForeign++
	}
	l.keep(from.Addr, found)
	return found
}

func (l *Locator) keep(addr netip.AddrPort, found Met) {
	if len(l.peers) >= maxPeers {
		l.stats.Dropped += uint64(len(l.peers))
		clear(l.peers)
	}
	l.peers[addr] = found
}
