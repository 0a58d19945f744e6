package event

import (
	"time"

	"github.com/gpucause/gpucause/internal/ktime"
	"github.com/gpucause/gpucause/internal/probe"
)

// LedgerState is what a dispatcher does with its wall time. At every instant a
// thread is in exactly one state.
type LedgerState uint8

// States of the ledger (docs/telemetry.md, dispatch.state).
const (
	LedgerRunning        LedgerState = iota // host code on a CPU, outside any call
	LedgerLaunch                            // on a CPU inside a call of the class; of nested calls the innermost counts
	LedgerMemcpy                            //
	LedgerMemory                            //
	LedgerModuleLoad                        //
	LedgerCollective                        //
	LedgerOtherCall                         //
	LedgerSyncSpin                          // on a CPU inside a synchronisation
	LedgerGPUWait                           // blocked inside a synchronisation or a blocking copy
	LedgerLock                              // blocked on a futex
	LedgerIO                                // blocked on storage
	LedgerInputWait                         // blocked in poll, read, receive, accept
	LedgerSleep                             // asleep on purpose
	LedgerPageFault                         // blocked in a page fault
	LedgerDriver                            // blocked in an ioctl outside a synchronisation
	LedgerBlockedOther                      // blocked in anything else
	LedgerRunnable                          // without a CPU
	LedgerCollectiveWait                    // waiting, blocked or on a CPU, for a collective that is not known to be complete
	LedgerStates                            // how many there are
)

var ledgerNames = [LedgerStates]string{
	LedgerRunning:        "running",
	LedgerLaunch:         "launch",
	LedgerMemcpy:         "memcpy",
	LedgerMemory:         "memory",
	LedgerModuleLoad:     "module_load",
	LedgerCollective:     "collective",
	LedgerOtherCall:      "other_call",
	LedgerSyncSpin:       "sync_spin",
	LedgerGPUWait:        "gpu_wait",
	LedgerLock:           "lock",
	LedgerIO:             "io",
	LedgerInputWait:      "input_wait",
	LedgerSleep:          "sleep",
	LedgerPageFault:      "page_fault",
	LedgerDriver:         "driver",
	LedgerBlockedOther:   "blocked_other",
	LedgerRunnable:       "runnable",
	LedgerCollectiveWait: "collective_wait",
}

// String returns the value of the attribute dispatch.state.
func (s LedgerState) String() string {
	if s >= LedgerStates {
		return "unknown"
	}
	return ledgerNames[s]
}

// Ledger is a thread's wall time by state. The states of an interval sum to its
// length exactly.
type Ledger [LedgerStates]time.Duration

// Total is the wall time that the ledger covers.
func (l *Ledger) Total() time.Duration {
	var total time.Duration
	for _, d := range l {
		total += d
	}
	return total
}

// CycleEnd is why a dispatch cycle ended.
type CycleEnd uint8

// Ends of a dispatch cycle.
const (
	CycleEndUnspecified CycleEnd = iota
	CycleEndSync                 // a blocking synchronisation returned
	CycleEndTooLong              // it was longer than max_cycle: closed, and another opened
	CycleEndThread               // its thread ended
)

// Cycle is one dispatch cycle: on a dispatcher, from the return of one blocking
// synchronisation to the return of the next. It is a record when it lasted at
// least the configured minimum or a call in it failed. The records of all calls
// and intervals in it precede it.
type Cycle struct {
	Task       Task
	ID         uint64 // of the thread's cycles, rising, from 1
	Start, End ktime.Time
	EndedBy    CycleEnd
	Probe      probe.ID // the synchronisation that ended it, 0 if none

	Ledger        Ledger // sums to End-Start
	Launches      uint32 // outermost launches
	FirstLaunches uint32 // of them, first launches of a function in the process
	Interrupted   uint32 // of the launches, those with an off-CPU interval inside, yields aside
	Failed        uint32 // calls that failed
	CopiedBytes   uint64 // by outermost copies that count bytes

	Span ActiveSpan // that the thread was in when the cycle ended
}

// LedgerSample is the increment of one thread's ledger and of its cycles.
type LedgerSample struct {
	Process ProcessID
	Task    Task
	Since   ktime.Time // when the ledger began
	At      ktime.Time // when it was read: all samples of it sum to At-Since
	Final   bool

	Time   Ledger    // sums to the wall time since the previous sample, or Since
	Cycles Histogram // durations of the cycles that ended
}

var callStates = map[probe.Class]LedgerState{
	probe.ClassLaunch:     LedgerLaunch,
	probe.ClassSync:       LedgerSyncSpin,
	probe.ClassMemcpy:     LedgerMemcpy,
	probe.ClassMemory:     LedgerMemory,
	probe.ClassModuleLoad: LedgerModuleLoad,
	probe.ClassCollective: LedgerCollective,
	probe.ClassOther:      LedgerOtherCall,
}

// CallState is the state of a thread on a CPU inside a call of a class.
func CallState(class probe.Class) LedgerState { return callStates[class] }

var blockedStates = map[OffCPUReason]LedgerState{
	ReasonFutex:     LedgerLock,
	ReasonRWSem:     LedgerLock,
	ReasonIO:        LedgerIO,
	ReasonPoll:      LedgerInputWait,
	ReasonRead:      LedgerInputWait,
	ReasonSocket:    LedgerInputWait,
	ReasonPipe:      LedgerInputWait,
	ReasonSleep:     LedgerSleep,
	ReasonPageFault: LedgerPageFault,
	ReasonIoctl:     LedgerDriver,
}

// BlockedState is the state of a thread that is blocked for a reason outside of
// calls whose job is to wait.
func BlockedState(reason OffCPUReason) LedgerState {
	if state, ok := blockedStates[reason]; ok {
		return state
	}
	return LedgerBlockedOther
}
