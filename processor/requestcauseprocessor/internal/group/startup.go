package group

import (
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/process"
)

// Bounds of what is remembered of start-ups: instances of vLLM that start while
// the Collector runs, and the processes of each.
const (
	maxStartups       = 256
	maxStartupMembers = 1024
)

// Startups remembers which processes said that they start together: vLLM's
// start-up spans of one instance share a trace, and their resources say which
// process does what. The one that was heard of first is forgotten first.
type Startups struct {
	sets  map[pcommon.TraceID]*startup
	order []pcommon.TraceID
	// evicted counts those that were forgotten.
	evicted uint64
}

type startup struct {
	members []process.Sender
}

// NewStartups returns an empty Startups.
func NewStartups() *Startups {
	return &Startups{sets: make(map[pcommon.TraceID]*startup)}
}

// Note notes that a process has a part in a trace, and reports whether that is
// news. Traces in which no process says that it is an engine or a worker tell
// nothing.
func (s *Startups) Note(trace pcommon.TraceID, member process.Sender) bool {
	if trace.IsEmpty() || member.PID == 0 {
		return false
	}
	member.Peer, member.Stamp = process.Peer{}, ""
	set, ok := s.sets[trace]
	if !ok {
		set = s.add(trace)
	}
	if slices.Contains(set.members, member) || len(set.members) >= maxStartupMembers {
		return false
	}
	set.members = append(set.members, member)
	return true
}

// Evicted returns how many starts were forgotten for others.
func (s *Startups) Evicted() uint64 { return s.evicted }

func (s *Startups) add(trace pcommon.TraceID) *startup {
	if len(s.order) >= maxStartups {
		delete(s.sets, s.order[0])
		s.order = slices.Delete(s.order, 0, 1)
		s.evicted++
	}
	added := &startup{}
	s.sets[trace] = added
	s.order = append(s.order, trace)
	return added
}

// started returns the numbers of the engines and workers that the sender started,
// or none where it may have had a part in starts of different ones.
func (s *Startups) started(q *question) []int64 {
	var found []int64
	for _, set := range s.sets {
		if !set.includes(q) {
			continue
		}
		engines := set.engines()
		if found != nil && !slices.Equal(found, engines) {
			return nil
		}
		found = engines
	}
	return found
}

// engines returns the numbers of the engines and workers, sorted.
func (s *startup) engines() []int64 {
	pids := []int64{}
	for i := range s.members {
		if s.members[i].Role != "" {
			pids = append(pids, s.members[i].PID)
		}
	}
	slices.Sort(pids)
	return slices.Compact(pids)
}

func (s *startup) includes(q *question) bool {
	for i := range s.members {
		m := &s.members[i]
		sameName := m.HostName == "" || q.HostName == "" || m.HostName == q.HostName
		if m.PID == q.PID && sameName && !q.differs(m.ContainerID, m.PodUID) {
			return true
		}
	}
	return false
}
