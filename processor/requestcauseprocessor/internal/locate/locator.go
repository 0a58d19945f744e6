package locate

import (
	"net/netip"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/group"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/process"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/window"
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

// Patience is for how long what a look or a search may find is worth waiting for.
// One that takes longer is overdue: it counts as slow, and nothing waits for it.
const Patience = time.Second

// Procs looks at the processes of this machine. Its methods may take any time, for
// the machine may not let go of who looks at a process that hangs. Each is called
// by one goroutine at a time.
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
	// Now tells the time.
	Now func() window.Time
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
	// SlowLooks and SlowSearches took longer than Patience, or have not ended.
	SlowLooks, SlowSearches uint64
}

// Locator finds process groups. It may be used from several goroutines. Only Look
// and Search ask the machine; no other method waits for them.
type Locator struct {
	settings Settings
	procs    Procs // nil where there is none
	known    Known
	asked    chan struct{} // has a value after something was put into queue

	mu        sync.Mutex
	startups  *group.Startups
	view      *group.View
	viewed    uint64 // of Known.Changes
	relatives relatives
	look      *look // that is under way, or nil
	decisions map[question]group.Decision
	peers     map[netip.AddrPort]*peer
	queue     []*peer // to be searched for
	search    *search // that is under way, or nil
	stats     Stats
}

// question is what a decision is the answer to.
type question struct {
	sender process.Sender
	at     group.Connection
}

// New returns a Locator.
func New(settings Settings, procs Procs, known Known) *Locator {
	return &Locator{
		settings: settings, procs: procs, known: known,
		asked:     make(chan struct{}, 1),
		startups:  group.NewStartups(),
		decisions: make(map[question]group.Decision),
		peers:     make(map[netip.AddrPort]*peer),
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

// Locate returns which traced processes serve a sender, as far as it is known now:
// m is the meeting with whoever has its end of the connection.
func (l *Locator) Locate(sender *process.Sender, m *Meeting) group.Decision {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.update()
	return l.decide(sender, m)
}

// LocateThread returns which thread a span is of that names it.
func (l *Locator) LocateThread(sender *process.Sender, m *Meeting, hostID string, tid int64) group.Decision {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.update()
	return l.view.DecideThread(hostID, tid, sender, l.decide(sender, m), l.known.Knows)
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
	s := l.stats
	s.StartsLost = l.startups.Evicted()
	if l.look != nil && l.overdue(l.look.began) {
		s.SlowLooks++
	}
	if l.search != nil && l.overdue(l.search.began) {
		s.SlowSearches++
	}
	return s
}

// overdue reports whether what began then has been under way for too long.
func (l *Locator) overdue(began window.Time) bool {
	return time.Duration(l.settings.Now()-began) > Patience
}

func (l *Locator) decide(sender *process.Sender, m *Meeting) group.Decision {
	q := question{sender: *sender, at: l.at(m)}
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
