package causality

import (
	"time"

	"github.com/gpucause/gpucause/internal/event"
)

// share is the time that a thread spent off-CPU for one reason.
type share struct {
	reason  event.OffCPUReason
	time    time.Duration
	longest *Interval
}

// mainReason returns the reason with the most time in one thread's intervals.
func mainReason(intervals []*Interval) share {
	var shares [event.Reasons]share
	for _, i := range intervals {
		addShares(&shares, i)
	}
	var most share
	for reason, s := range shares {
		if s.time > most.time {
			s.reason = event.OffCPUReason(reason)
			most = s
		}
	}
	return most
}

func addShares(shares *[event.Reasons]share, i *Interval) {
	if i.Call != nil {
		for _, child := range i.Children {
			addShares(shares, child)
		}
		return
	}
	if i.Blocked() > 0 {
		shares[i.Reason].add(i, i.Blocked(), (*Interval).Blocked)
	}
	if i.Runnable() > 0 {
		shares[i.RunnableReason()].add(i, i.Runnable(), (*Interval).Runnable)
	}
}

func (s *share) add(i *Interval, took time.Duration, length func(*Interval) time.Duration) {
	s.time += took
	if s.longest == nil || took > length(s.longest) {
		s.longest = i
	}
}

// RunnableReason returns why i's runnable part was not on a CPU.
func (i *Interval) RunnableReason() event.OffCPUReason {
	if i.Reason.Runnable() {
		return i.Reason
	}
	if i.OffCPU.Throttled {
		return event.ReasonThrottled
	}
	return event.ReasonRunQueue
}
