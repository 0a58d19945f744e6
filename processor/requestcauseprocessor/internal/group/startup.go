package group

import (
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/process"
)

// Bounds of what is remembered of start-ups: instances of vLLM that start while
// the Collector runs, the processes of each, and those of all. Invariant: one has
// room for fewer processes than all have.
const (
	maxStartups       = 256
	maxStartupMembers = 1024
	maxAllMembers     = 4096 // of up to 2 KiB
)

// Startups remembers which processes said that they start together: vLLM's
// start-up spans of one instance share a trace, and their resources say which
// process does what. The one that was heard of first is forgotten first, but for
// traces without an engine, which go before all others: they need not be starts.
type Startups struct {
	sets    map[pcommon.TraceID]*startup
	order   []pcommon.TraceID // the newest last
	members int               // of all sets
	// evicted counts those that were forgotten, but for traces without an engine, and
	// those of which members were left out.
	evicted uint64
}

type startup struct {
	members []process.Sender
	engines []int64 // the numbers of the engines and workers, sorted
	cut     bool    // members were left out
}

// NewStartups returns an empty Startups.
func NewStartups() *Startups {
	return &Startups{sets: make(map[pcommon.TraceID]*startup)}
}

// Note notes that a process has a part in a trace, and reports whether that is
// news. Traces in which no process says that it is an engine or a worker tell
// nothing: they are kept in case that one comes.
func (s *Startups) Note(trace pcommon.TraceID, member process.Sender) bool {
	if trace.IsEmpty() || member.PID == 0 {
		return false
	}
	member.Peer, member.Stamp, member.Generic = process.Peer{}, "", false
	set, ok := s.sets[trace]
	if !ok {
		set = s.add(trace)
	}
	if slices.Contains(set.members, member) || s.full(set) {
		return false
	}
	for s.members >= maxAllMembers {
		s.evict(trace)
	}
	s.members++
	set.add(member)
	return len(set.engines) > 0
}

// full reports whether a start has no room for another member, and counts it the
// first time.
func (s *Startups) full(set *startup) bool {
	if len(set.members) < maxStartupMembers {
		return false
	}
	if !set.cut {
		set.cut = true
		s.evicted++
	}
	return true
}

// Evicted returns how many starts were forgotten for others, or have members that
// were left out.
func (s *Startups) Evicted() uint64 { return s.evicted }

func (s *Startups) add(trace pcommon.TraceID) *startup {
	if len(s.order) >= maxStartups {
		s.evict(trace)
	}
	added := &startup{}
	s.sets[trace] = added
	s.order = append(s.order, trace)
	return added
}

// evict forgets the first other trace without an engine, or else the first other
// one of all, which must exist.
func (s *Startups) evict(but pcommon.TraceID) {
	other := func(trace pcommon.TraceID) bool { return trace != but }
	at := slices.IndexFunc(s.order, func(trace pcommon.TraceID) bool {
		return other(trace) && len(s.sets[trace].engines) == 0
	})
	if at < 0 {
		at = slices.IndexFunc(s.order, other)
		s.evicted++
	}
	s.members -= len(s.sets[s.order[at]].members)
	delete(s.sets, s.order[at])
	s.order = slices.Delete(s.order, at, at+1)
}

// started returns the numbers of the engines and workers that the sender started.
// Where it is certain to be a process that has started several times, the last
// start counts; where it may be several processes, which started different ones,
// there are none. A host of the name machine may have many processes of one number,
// each in a container of its own.
func (s *Startups) started(q *question, machine string) []int64 {
	var found []int64
	for _, trace := range slices.Backward(s.order) {
		set := s.sets[trace]
		part := set.partOf(q, machine)
		if part == partNone || len(set.engines) == 0 {
			continue
		}
		if found != nil && !slices.Equal(found, set.engines) {
			return nil
		}
		found = set.engines
		if part == partCertain {
			break
		}
	}
	return found
}

func (s *startup) add(member process.Sender) {
	s.members = append(s.members, member)
	if member.Role == "" {
		return
	}
	if at, known := slices.BinarySearch(s.engines, member.PID); !known {
		s.engines = slices.Insert(s.engines, at, member.PID)
	}
}

// part says whether a sender had a part in a start.
type part uint8

const (
	partNone     part = iota
	partPossible      // nothing speaks against it
	partCertain       // container, pod or the name of its host agrees
)

func (s *startup) partOf(q *question, machine string) part {
	found := partNone
	for i := range s.members {
		m := &s.members[i]
		sameName := m.HostName == "" || q.HostName == "" || m.HostName == q.HostName
		switch {
		case m.PID != q.PID || !sameName || q.differs(m.ContainerID, m.PodUID):
		case q.shares(m.ContainerID, m.PodUID), q.HostName != "" && q.HostName == m.HostName && q.HostName != machine:
			return partCertain
		default:
			found = partPossible
		}
	}
	return found
}
