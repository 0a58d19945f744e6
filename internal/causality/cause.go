package causality

import (
	"time"

	"github.com/gpucause/gpucause/internal/event"
)

// Cause is why a dispatch cycle or a call took longer than it should have
// (docs/telemetry.md, stall.cause).
type Cause uint8

// Causes. CauseUnknown is an honest answer: no cause explains half of the excess.
const (
	CauseNone Cause = iota // there is no excess to explain
	CauseUnknown
	CauseCPUContention
	CauseLock
	CauseIO
	CauseInputWait
	CauseGPUBusy
	CauseLaunchQueueFull
	CauseCollectiveWait
	CauseModuleLoad
	CauseMemoryManagement
	CauseMemcpy
	CausePageFault
	CauseHostCode
	Causes // how many there are
)

var causeNames = [Causes]string{
	CauseNone:             "none",
	CauseUnknown:          "unknown",
	CauseCPUContention:    "cpu_contention",
	CauseLock:             "lock",
	CauseIO:               "io",
	CauseInputWait:        "input_wait",
	CauseGPUBusy:          "gpu_busy",
	CauseLaunchQueueFull:  "launch_queue_full",
	CauseCollectiveWait:   "collective_wait",
	CauseModuleLoad:       "module_load",
	CauseMemoryManagement: "memory_management",
	CauseMemcpy:           "memcpy",
	CausePageFault:        "page_fault",
	CauseHostCode:         "host_code",
}

// String returns the value of the attribute stall.cause.
func (c Cause) String() string {
	if c >= Causes {
		return causeNames[CauseUnknown]
	}
	return causeNames[c]
}

// stateCauses is what it means that more time than usual went into a state.
// Launches are here only where there is evidence for a full queue.
var stateCauses = [event.LedgerStates]Cause{
	event.LedgerRunning:      CauseHostCode,
	event.LedgerSleep:        CauseHostCode,
	event.LedgerLaunch:       CauseUnknown,
	event.LedgerMemcpy:       CauseMemcpy,
	event.LedgerMemory:       CauseMemoryManagement,
	event.LedgerModuleLoad:   CauseModuleLoad,
	event.LedgerCollective:   CauseUnknown,
	event.LedgerOtherCall:    CauseUnknown,
	event.LedgerSyncSpin:     CauseGPUBusy,
	event.LedgerGPUWait:      CauseGPUBusy,
	event.LedgerLock:         CauseLock,
	event.LedgerIO:           CauseIO,
	event.LedgerInputWait:    CauseInputWait,
	event.LedgerPageFault:    CausePageFault,
	event.LedgerDriver:       CauseUnknown,
	event.LedgerBlockedOther: CauseUnknown,
	event.LedgerRunnable:     CauseCPUContention,

	event.LedgerCollectiveWait: CauseCollectiveWait,
}

// Attribution is the cause of an excess, by where the time went.
type Attribution struct {
	Cause Cause
	// Explained is the share of the excess, 0..1, that the cause covers; of
	// CauseUnknown the share that the best known cause covers, less than half.
	Explained float64
	// State is the state that grew most, of those that belong to the cause; of
	// CauseUnknown it is where most of the time went all the same.
	State event.LedgerState
	// Time is the excess that the cause covers; of CauseUnknown that of State. It
	// may be more than the whole excess, where another state took less than usual.
	Time time.Duration
}

// half is the share below which nothing is explained.
const half = 0.5

// attribute finds the cause of an excess of length total from how much more, or
// less, time went into each state, and from what a state means. What moved from
// one state of a cause to another has not grown.
func attribute(grown *event.Ledger, total time.Duration, causes *[event.LedgerStates]Cause) Attribution {
	if total <= 0 {
		return Attribution{}
	}
	var times [Causes]time.Duration
	for state, d := range grown {
		if causes[state] == CauseUnknown { // states that have nothing in common
			d = max(d, 0)
		}
		times[causes[state]] += d
	}
	largest := CauseUnknown
	known := CauseNone
	for c := CauseUnknown + 1; c < Causes; c++ {
		if times[c] > times[known] {
			known = c
		}
	}
	if times[known] >= times[CauseUnknown] && known != CauseNone {
		largest = known
	}
	a := Attribution{Cause: largest, State: largestState(grown, causes, largest), Time: times[largest]}
	a.Explained = shareOf(times[largest], total)
	if largest == CauseUnknown {
		a.Explained = min(shareOf(times[known], total), max(0, 1-shareOf(times[CauseUnknown], total)))
	}
	if a.Explained < half {
		a.Cause = CauseUnknown
	}
	if a.Cause == CauseUnknown {
		a.Time = max(0, grown[a.State])
	}
	return a
}

func largestState(grown *event.Ledger, causes *[event.LedgerStates]Cause, of Cause) event.LedgerState {
	var largest event.LedgerState
	var most time.Duration
	for state, d := range grown {
		if causes[state] == of && d > most {
			largest, most = event.LedgerState(state), d
		}
	}
	return largest
}

func shareOf(part, whole time.Duration) float64 {
	return min(1, max(0, float64(part)/float64(whole)))
}
