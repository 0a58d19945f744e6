package causality

import (
	"fmt"
	"time"

	"github.com/gpucause/gpucause/internal/event"
)

// blockedPhrases say what a thread was doing while it was blocked.
var blockedPhrases = map[event.OffCPUReason]string{
	event.ReasonFutex:     "blocked on a futex",
	event.ReasonIO:        "blocked on storage I/O",
	event.ReasonPoll:      "blocked in poll",
	event.ReasonRead:      "blocked in a read or write",
	event.ReasonSocket:    "blocked on a socket",
	event.ReasonSleep:     "asleep",
	event.ReasonPageFault: "blocked in a page fault",
	event.ReasonIoctl:     "blocked in an ioctl",
	event.ReasonWait:      "waiting for a child process",
	event.ReasonSignal:    "waiting for a signal",
	event.ReasonMemoryMap: "blocked changing its memory map",
	event.ReasonOther:     "blocked in a system call",
	event.ReasonPipe:      "blocked on a pipe",
	event.ReasonRWSem:     "blocked on a semaphore of the Linux kernel",
}

var runnablePhrases = map[event.OffCPUReason]string{
	event.ReasonPreempted: "preempted",
	event.ReasonRunQueue:  "ready to run but without a CPU",
	event.ReasonYield:     "out of its CPU by its own yield",
	event.ReasonThrottled: "throttled by its CPU quota",
}

func reasonPhrase(reason event.OffCPUReason) string {
	if phrase, ok := blockedPhrases[reason]; ok {
		return phrase
	}
	if phrase, ok := runnablePhrases[reason]; ok {
		return phrase
	}
	return "blocked for an unknown reason"
}

func taskName(t event.Task) string { return fmt.Sprintf("%s (tid %d)", t.Comm, t.Thread.TID) }

// shown returns d with three digits or so, in the unit that suits it.
func shown(d time.Duration) string {
	switch {
	case d >= time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d >= time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
	case d >= time.Microsecond:
		return fmt.Sprintf("%.1f µs", float64(d)/float64(time.Microsecond))
	default:
		return fmt.Sprintf("%d ns", d.Nanoseconds())
	}
}
