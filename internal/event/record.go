package event

import (
	"time"

	"github.com/gpucause/gpucause/internal/ktime"
	"github.com/gpucause/gpucause/internal/probe"
)

// Kind says which field of a Record holds.
type Kind uint16

// Kinds of record.
const (
	KindUnspecified Kind = iota
	KindCall
	KindOffCPU
	KindProcess
	KindFunctionName
	KindCycle
	KindCommunicator
	KindCollective
	KindCompletion
	Kinds // how many there are
)

// Record is one decoded ring-buffer record. Only the field that Kind names is
// set; the whole value is overwritten by the next decode.
type Record struct {
	Kind         Kind
	Call         Call
	OffCPU       OffCPU
	Process      ProcessChange
	FunctionName FunctionName
	Cycle        Cycle
	Communicator Communicator
	Collective   Collective
	Completion   Completion
}

// Notable is the set of reasons for which a call became a record.
type Notable uint16

// Reasons for which a call is notable.
const (
	NotableSlow        Notable = 1 << iota // longer than its class's threshold
	NotableInterrupted                     // off-CPU inside; of syncs, without a CPU
	NotableFailed                          // returned an error
	NotableFirstLaunch                     // first launch of this function in this process
	NotableSampled                         // one in N
	NotableChild                           // contains a notable call
	NotableAbandoned                       // never returned: its thread exited, exec'ed or jumped out of it
	NotableCollective                      // waited for a collective that was not known to be complete
)

// Call is one notable invocation of a catalogue function, entry to return, on
// one thread. Calls of one thread nest; a nested call's record precedes its
// parent's.
type Call struct {
	Task   Task
	ID     uint64 // unique within the thread, rising, from 1
	Parent uint64 // ID of the enclosing call, 0 for an outermost one
	Probe  probe.ID
	Notable
	Start, End ktime.Time
	Result     int32 // the function's return value; meaningless when abandoned

	// Exact totals of the off-CPU intervals inside, whether or not they became records.
	Blocked, Runnable time.Duration
	Switches          uint32

	Args [probe.MaxSlots]uint64 // by slot

	Span ActiveSpan // that the thread was in when the call returned
}

// WakerContext is what was running when a wakeup was issued.
type WakerContext uint8

// Contexts of a wakeup. Only in WakerTask did the waker's thread act itself; an
// interrupt merely borrowed it.
const (
	WakerUnspecified WakerContext = iota
	WakerTask
	WakerSoftIRQ
	WakerHardIRQ
	WakerInterrupt // softirq or hardirq: this Linux kernel does not tell which
)

// Interrupt reports whether an interrupt issued the wakeup, and no thread.
func (c WakerContext) Interrupt() bool {
	return c == WakerSoftIRQ || c == WakerHardIRQ || c == WakerInterrupt
}

// NoSyscall is OffCPU.Syscall of a thread that was interrupted in user mode.
const NoSyscall = -1

// MaxStack is the number of Linux kernel frames that an off-CPU record carries at most.
const MaxStack = 16

// OffCPU is one notable interval [Start, End) in which a thread was not on a
// CPU: switch-out to switch-in.
//
// It is blocked in [Start, Wake) and runnable in [Wake, End). A preempted
// thread is runnable throughout, and its Wake equals Start.
type OffCPU struct {
	Task             Task
	Call             uint64 // ID of the innermost open call, 0 outside calls
	Start, Wake, End ktime.Time

	Reason    OffCPUReason // by scheduler facts alone
	State     uint32       // task state at switch-out, masked to the state proper
	Syscall   int32        // number of the system call in progress, or NoSyscall
	IOWait    bool         // in_iowait was set
	Preempted bool         // still runnable at switch-out
	Throttled bool         // the runnable part began while the thread's control group was out of CPU quota

	Waker        Task // zero Thread when no wakeup was seen
	WakerContext WakerContext

	// Preemptor had the CPU instead: the thread switched to when Preempted,
	// otherwise the one that ran on this CPU just before switch-in. Zero TID is
	// the idle task: nobody.
	Preemptor Task

	Stack [MaxStack]uint64 // Linux kernel return addresses, innermost first, zero-terminated
}

// ProcessChangeKind says what happened to a process or thread.
type ProcessChangeKind uint8

// Changes of processes and threads that use CUDA.
const (
	ProcessChangeUnspecified ProcessChangeKind = iota
	ProcessAdopted                             // first traced call of the process
	ProcessExecuted                            // the process replaced its image
	ThreadExited
	ProcessExited // its last thread exited
	ThreadAdopted // a thread that was there before its process was traced: it is from now on
)

// ProcessChange is a change of a traced process or thread.
type ProcessChange struct {
	Task Task
	Kind ProcessChangeKind
	At   ktime.Time
	// Start is the process's start on CLOCK_BOOTTIME.
	Start ktime.Time
}

// MaxFunctionName is the longest kernel name that a record carries, in bytes.
const MaxFunctionName = 1024

// FunctionName is the name under which a process obtained a function handle
// (cuModuleGetFunction, cuLibraryGetKernel) or registered it
// (__cudaRegisterFunction); or says that a handle stands for the same function as another.
type FunctionName struct {
	Thread Thread
	Handle uint64
	SameAs uint64 // another handle of the function; 0: the name holds
	name   [MaxFunctionName]byte
	length int
}

// SetName stores the zero-terminated name in raw.
func (f *FunctionName) SetName(raw []byte) {
	f.length = copy(f.name[:], raw)
	for i, b := range f.name[:f.length] {
		if b == 0 {
			f.length = i
			return
		}
	}
}

// Name returns the name, still mangled, safe to show.
func (f *FunctionName) Name() string { return Clean(string(f.name[:f.length])) }
