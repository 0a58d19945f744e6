package causality

import (
	"fmt"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/probe"
)

// StallSummary tells a stall in one plain sentence: how long the cycle took and
// takes typically, where the excess went, who owns the wait, and what that
// thread in turn was waiting for.
func StallSummary(s *Stall) string {
	took := fmt.Sprintf("dispatch cycle of %s took %s", s.Cycle.Task.Comm, shown(s.Cycle.End.Sub(s.Cycle.Start)))
	if s.Typical > 0 {
		took += ", typically " + shown(s.Typical)
	}
	if failed := failure(s); failed != "" {
		took += ", and " + failed
	}
	if s.Cause == CauseNone {
		return took
	}
	return took + ": " + accusation(s)
}

// accusation tells where the excess went.
func accusation(s *Stall) string {
	if s.Cause == CauseUnknown {
		return unexplained(s)
	}
	amount := shown(min(s.Time, s.Excess())) + " of the excess "
	switch s.Cause {
	case CauseCPUContention:
		return amount + withoutCPU(s)
	case CauseGPUBusy:
		return amount + "waiting for the GPU" + s.mostIn(isWaiting)
	case CauseLaunchQueueFull:
		return amount + fmt.Sprintf("in %d launches that had to wait for room in the launch queue", s.Cycle.Launches)
	case CauseCollectiveWait:
		return amount + waitedIn(s)
	case CauseModuleLoad:
		return amount + "loading GPU code" + firstLaunches(s) + s.mostIn(isLoading)
	case CauseMemoryManagement:
		return amount + "managing GPU memory" + s.mostIn(isClass(probe.ClassMemory))
	case CauseMemcpy:
		return amount + "copying" + s.mostIn(isClass(probe.ClassMemcpy))
	case CauseHostCode:
		return amount + hostCode(s)
	default:
		return amount + blockedFor(s)
	}
}

func unexplained(s *Stall) string {
	if s.Time == 0 {
		return "no cause explains half of the excess"
	}
	return fmt.Sprintf("no cause explains half of the excess; what grew most is %s, by %s", s.State, shown(s.Time))
}

// hostCode tells both of what a thread does outside of calls, where both grew.
func hostCode(s *Stall) string {
	const running, asleep = "running host code, outside of any call", "asleep on purpose"
	slept := max(0, s.Ledger[event.LedgerSleep]-s.TypicalLedger[event.LedgerSleep])
	ran := max(0, s.Ledger[event.LedgerRunning]-s.TypicalLedger[event.LedgerRunning])
	const all = 10 // one part in so many is not worth telling
	switch {
	case slept <= s.Time/all:
		return running
	case ran <= s.Time/all:
		return asleep
	default:
		return fmt.Sprintf("%s (%s), and %s (%s)", running, shown(ran), asleep, shown(slept))
	}
}

func firstLaunches(s *Stall) string {
	switch s.Cycle.FirstLaunches {
	case 0:
		return ""
	case 1:
		return ", with one first launch of a function"
	default:
		return fmt.Sprintf(", with %d first launches of functions", s.Cycle.FirstLaunches)
	}
}

func failure(s *Stall) string {
	for _, child := range s.Children {
		if child.Call != nil && child.Call.Notable&event.NotableFailed != 0 {
			return functionName(child.Call) + " failed with " + resultName(child.Call)
		}
	}
	if s.Cycle.Failed > 0 {
		return "a call in it failed"
	}
	return ""
}
