//go:build amd64 || arm64

package capture

import (
	"github.com/gpucause/gpucause/bpf"
	"github.com/gpucause/gpucause/internal/event"
)

// fullCounters names the map behind each counter of refused inserts.
var fullCounters = map[bpf.GpucauseCounter]string{
	bpf.GpucauseCounterCounterFullThreads:       "threads",
	bpf.GpucauseCounterCounterFullCallers:       "callers",
	bpf.GpucauseCounterCounterFullProcesses:     "processes",
	bpf.GpucauseCounterCounterFullSeries:        "series",
	bpf.GpucauseCounterCounterFullThreadStats:   "thread_stats",
	bpf.GpucauseCounterCounterFullFunctions:     "functions",
	bpf.GpucauseCounterCounterFullPointers:      "pointers",
	bpf.GpucauseCounterCounterFullErrors:        "errors",
	bpf.GpucauseCounterCounterFullRegistered:    "registered",
	bpf.GpucauseCounterCounterFullCommunicators: "communicators",
	bpf.GpucauseCounterCounterFullPairs:         "pairs",
	bpf.GpucauseCounterCounterFullDependencies:  "edges",
}

// Report returns the counters of losses and of what is attached. Counters that
// cannot be read are absent.
func (s *Session) Report() Report {
	r := Report{
		Dropped:   make(map[event.Kind]uint64),
		MapFull:   make(map[string]uint64),
		Read:      s.read.Load(),
		Malformed: s.malformed.Load(),
		Attached:  s.mechanism,
		EntryOnly: !s.returns.safe,
		Programs:  s.programCosts(),
	}
	s.reportCounters(&r)
	_ = eachProcess(s.objects.Processes, func(_ event.ProcessID, p *bpf.GpucauseProcess) {
		if p.Followed != 0 {
			r.Followed++
		} else {
			r.Processes++
		}
	})
	s.discovery.report(&r)
	return r
}

func (s *Session) reportCounters(r *Report) {
	var counters [bpf.GpucauseCounterCountersSize]uint64
	if err := s.objects.Counters.Get(&counters); err != nil {
		return
	}
	for kind := event.KindCall; kind < event.Kinds; kind++ {
		r.Dropped[kind] = counters[int(bpf.GpucauseCounterCounterDrop)+int(kind)]
	}
	r.UnmatchedReturns = counters[bpf.GpucauseCounterCounterUnmatchedReturn]
	r.AbandonedCalls = counters[bpf.GpucauseCounterCounterAbandonedCall]
	r.StackOverflows = counters[bpf.GpucauseCounterCounterStackOverflow]
	r.UserReadFaults = counters[bpf.GpucauseCounterCounterUserFault]
	r.ContextFaults = counters[bpf.GpucauseCounterCounterContextFault]
	r.DependenciesLost = counters[bpf.GpucauseCounterCounterDependenciesLost]
	for counter, name := range fullCounters {
		r.MapFull[name] = counters[counter]
	}
}

func (s *Session) programCosts() []ProgramCost {
	var costs []ProgramCost
	for name, program := range programFields(&s.objects.GpucausePrograms) {
		if *program == nil {
			continue
		}
		stats, err := (*program).Stats()
		if err != nil {
			continue
		}
		costs = append(costs, ProgramCost{
			Name:      name,
			Runs:      stats.RunCount,
			RunTime:   int64(stats.Runtime),
			Recursion: stats.RecursionMisses,
		})
	}
	return costs
}
