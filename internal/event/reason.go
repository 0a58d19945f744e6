package event

// OffCPUReason is why a thread was not on a CPU.
type OffCPUReason uint8

// Reasons. The Linux kernel side tells them from scheduler facts (state, iowait,
// system call, quota); ReasonPipe and ReasonRWSem are refinements by kernel stack.
const (
	ReasonUnspecified OffCPUReason = iota
	ReasonPreempted                // runnable: still so at switch-out, somebody else got the CPU
	ReasonRunQueue                 // runnable: from the wakeup that ended a blocked interval to switch-in
	ReasonFutex                    // futex wait: a lock, condition variable or join
	ReasonIO                       // in_iowait: storage
	ReasonPoll                     // poll, select, epoll_wait
	ReasonRead                     // read or write family, not in iowait
	ReasonSocket                   // socket send, receive, accept, connect
	ReasonSleep                    // nanosleep
	ReasonYield                    // runnable: sched_yield
	ReasonPageFault                // blocked outside any system call
	ReasonIoctl                    // inside a driver
	ReasonWait                     // wait4, waitid
	ReasonSignal                   // pause, sigsuspend, sigtimedwait
	ReasonMemoryMap                // mmap, munmap, mprotect, madvise, brk
	ReasonOther                    // blocked in some other system call
	ReasonPipe                     // refined: pipe or FIFO
	ReasonRWSem                    // refined: a semaphore inside the Linux kernel
	ReasonThrottled                // runnable: the control group's CPU quota was used up
	Reasons                        // how many there are
)

var reasonNames = [Reasons]string{
	ReasonUnspecified: "unknown",
	ReasonPreempted:   "preempted",
	ReasonRunQueue:    "run_queue",
	ReasonFutex:       "futex",
	ReasonIO:          "io",
	ReasonPoll:        "poll",
	ReasonRead:        "read",
	ReasonSocket:      "socket",
	ReasonSleep:       "sleep",
	ReasonYield:       "yield",
	ReasonPageFault:   "page_fault",
	ReasonIoctl:       "ioctl",
	ReasonWait:        "wait",
	ReasonSignal:      "signal",
	ReasonMemoryMap:   "memory_map",
	ReasonOther:       "other",
	ReasonPipe:        "pipe",
	ReasonRWSem:       "rwsem",
	ReasonThrottled:   "throttled",
}

// String returns the value of the attribute off_cpu.reason.
func (r OffCPUReason) String() string {
	if r >= Reasons {
		return reasonNames[ReasonUnspecified]
	}
	return reasonNames[r]
}

// Runnable reports whether r is time in which a CPU was missing; otherwise the
// thread was blocked and somebody else had to act.
func (r OffCPUReason) Runnable() bool {
	switch r {
	case ReasonPreempted, ReasonRunQueue, ReasonYield, ReasonThrottled:
		return true
	default:
		return false
	}
}
