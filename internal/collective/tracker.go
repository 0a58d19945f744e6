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
	groups        map[groupKey][]*Operation
	open          map[commKey][]*Operation // not complete, in the order of their numbers
	latest        map[arrivalKey]*arrival
	waits         map[event.Thread][]*Operation // that the thread waited for, the latest last
	meetings      map[meetingKey]*meeting
	pending       queue
	arrived       []*Operation // not told as arrived, in the order of their records
	advanced      ktime.Time   // by the latest Advance
	swept         ktime.Time
	stats         Stats
}

// groupKey is a thread's outermost group.
type groupKey struct {
	thread event.Thread
	group  uint64
}

// arrivalKey is a thread on a communicator.
type arrivalKey struct {
	thread event.Thread
	serial event.Serial
}

// arrival is a thread's latest one on a communicator.
type arrival struct {
	count uint64
	*Operation
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
	Late          uint64 // completions of operations that had been told
}

// New returns an empty Tracker.
func New(settings Settings) *Tracker {
	return &Tracker{
		settings:      settings.withDefaults(),
		communicators: make(map[commKey]*Communicator),
		initAlls:      make(map[event.ProcessID]uint64),
		growths:       make(map[growth]Key),
		unnamed:       make(map[growth][]*Communicator),
		groups:        make(map[groupKey][]*Operation),
		open:          make(map[commKey][]*Operation),
		latest:        make(map[arrivalKey]*arrival),
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

// cut says that the operations of a communicator up to a number complete no more.
// The latest of those that were open is worth a span.
func (t *Tracker) cut(key commKey, until uint32) {
	if c := t.communicators[key]; c != nil {
		c.cut = until
	}
	if open := t.open[key]; len(open) > 0 {
		t.interrupt(open[len(open)-1])
	}
	delete(t.open, key)
}

// interrupt says that o was the latest operation when its communicator was cut
// short, and open.
func (t *Tracker) interrupt(o *Operation) {
	o.cut = true
	t.remember(o, o.Task.Thread)
}

// end forgets a communicator. Its open operations are told when their time is
// over.
func (t *Tracker) end(key commKey) {
	delete(t.communicators, key)
	delete(t.open, key)
}

// change forgets what a process that is gone had. What its threads waited for is
// asked for later.
func (t *Tracker) change(change *event.ProcessChange) {
	switch change.Kind {
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
		for _, o := range t.open[key] {
			t.schedule(o, at.Add(t.settings.Settle))
		}
		t.cut(key, math.MaxUint32)
		t.end(key)
	}
	for key := range t.groups {
		if key.thread.PID == pid {
			delete(t.groups, key)
		}
	}
	for key := range t.latest {
		if key.thread.PID == pid {
			delete(t.latest, key)
		}
	}
	for id := range t.initAlls {
		if id.PID == pid {
			delete(t.initAlls, id)
		}
	}
}
