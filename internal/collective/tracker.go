package collective

import (
	"math"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
	"github.com/gpucause/gpucause/internal/probe"
)

const farFuture = ktime.Time(math.MaxInt64)

// commKey names a communicator of a process.
type commKey struct {
	pid    event.PID
	serial event.Serial
}

// Tracker collects records. It is for one goroutine.
type Tracker struct {
	settings      Settings
	communicators map[commKey]*Communicator
	initAlls      map[event.ProcessID]uint64
	growths       map[growth]Key
	unnamed       map[growth][]*Communicator
	groups        map[event.Thread]*group
	grouped       int // operations in groups
	open          map[commKey]*openOperations
	followed      int // operations that are open
	arrivals      arrivals
	waits         map[event.Thread][]*Operation // that the thread waited for, the latest last
	meetings      map[meetingKey]*meeting
	pending       queue
	arrived       []*Operation // not told as arrived, in the order of their records
	advanced      ktime.Time   // by the latest Advance
	swept         ktime.Time
	stats         Stats
}

// Stats count what a Tracker did and holds.
type Stats struct {
	Operations    uint64 // told
	Communicators int
	Held          int    // operations that wait to be told
	Unidentified  uint64 // told without key or rank
	Incomplete    uint64 // told without having been seen to complete
	Evicted       uint64 // not told, for want of room
	Unknown       uint64 // operations or completions of communicators that are not known: their records were lost
	Captured      uint64 // not told: they are in a CUDA graph, and run, or not, when it is launched
	Refused       uint64 // communicators for which there was no room
	Late          uint64 // completed after they had been told, and told again
	NoRoom        NoRoom
}

// NoRoom counts what a Tracker does not know because there was no room to remember
// more.
type NoRoom struct {
	Open     uint64 // operations whose completion goes unnoticed
	Groups   uint64 // operations of which it is not known when their group queued them; the end of the group may be lost, too
	Arrivals uint64 // operations that were not compared with the thread's before
	Waits    uint64 // operations that a thread waited for, which its stalls do not name
	Meetings uint64 // operations that were not brought together with their other ranks
	Growths  uint64 // grown communicators whose key is not learnt from the root, or taught by it
}

// New returns an empty Tracker.
func New(settings Settings) *Tracker {
	return &Tracker{
		settings:      settings.withDefaults(),
		communicators: make(map[commKey]*Communicator),
		initAlls:      make(map[event.ProcessID]uint64),
		growths:       make(map[growth]Key),
		unnamed:       make(map[growth][]*Communicator),
		groups:        make(map[event.Thread]*group),
		open:          make(map[commKey]*openOperations),
		arrivals:      arrivals{of: make(map[event.Thread]map[event.Serial]*arrival)},
		waits:         make(map[event.Thread][]*Operation),
		meetings:      make(map[meetingKey]*meeting),
	}
}

// Stats returns the counters.
func (t *Tracker) Stats() Stats {
	t.stats.Communicators, t.stats.Held = len(t.communicators), len(t.pending)
	return t.stats
}

// Add takes in one record, copying what it keeps. The records of one thread
// come in order. It returns a communicator whose rank or size is not known yet,
// or is worth learning from, when it hears of it for the first time.
func (t *Tracker) Add(record *event.Record) *Communicator {
	switch record.Kind {
	case event.KindCommunicator:
		return t.addCommunicator(&record.Communicator)
	case event.KindCollective:
		t.addCollective(&record.Collective)
	case event.KindCompletion:
		t.addCompletion(&record.Completion)
	case event.KindProcess:
		t.change(&record.Process)
	}
	return nil
}

func (t *Tracker) addCommunicator(r *event.Communicator) *Communicator {
	row := probe.Get(r.Probe)
	if row == nil || r.Serial == 0 {
		t.stats.Refused++
		return nil
	}
	key := commKey{r.Process.PID, r.Serial}
	known := t.communicators[key]
	switch {
	case r.Cut:
		t.cut(key, uint32(r.Value))
	case row.Role == probe.RoleEnds, row.Role == probe.RoleAborts:
		t.end(key)
	case row.Role == probe.RoleTells && known != nil:
		t.tell(known, r, row)
	case leftOut(r, row):
	case known == nil && len(t.communicators) >= t.settings.MaxCommunicators:
		t.stats.Refused++
	case known == nil:
		c := t.born(r, row)
		t.communicators[key] = c
		return c
	}
	return nil
}

// end forgets a communicator. Its open operations are told when their time is
// over.
func (t *Tracker) end(key commKey) {
	delete(t.communicators, key)
	t.drop(key)
}

// change forgets what a thread or process that is gone had. What threads waited for is
// asked for later.
func (t *Tracker) change(change *event.ProcessChange) {
	switch change.Kind {
	case event.ThreadExited:
		t.leaveGroup(change.Task.Thread)
		t.arrivals.forget(change.Task.Thread)
	case event.ProcessExited, event.ProcessExecuted:
		t.forgetProcess(change.Task.Thread.PID, change.At)
	}
}

// forgetProcess forgets a process; what it had open never completes, and is told soon.
func (t *Tracker) forgetProcess(pid event.PID, at ktime.Time) {
	for key := range t.communicators {
		if key.pid != pid {
			continue
		}
		if open := t.open[key]; open != nil {
			for _, o := range open.list {
				t.schedule(o, at.Add(t.settings.Settle))
			}
		}
		t.cut(key, math.MaxUint32)
		t.end(key)
	}
	for thread := range t.groups {
		if thread.PID == pid {
			t.leaveGroup(thread)
		}
	}
	for thread := range t.arrivals.of {
		if thread.PID == pid {
			t.arrivals.forget(thread)
		}
	}
	for id := range t.initAlls {
		if id.PID == pid {
			delete(t.initAlls, id)
		}
	}
}
