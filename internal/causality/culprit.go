package causality

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/probe"
)

// visit shows the dispatcher's own intervals to show, with what encloses each.
func (s *Stall) visit(show func(nesting, *Interval)) {
	for _, child := range s.Children {
		visit(nesting{}, child, show)
	}
}

func visit(n nesting, i *Interval, show func(nesting, *Interval)) {
	show(n, i)
	if i.Call == nil {
		return
	}
	n = n.enter(i.Call)
	for _, child := range i.Children {
		visit(n, child, show)
	}
}

// culprit is who or what the dispatcher's time was lost to, where the records
// name somebody: for CauseCPUContention the thread that took its CPU, or had it
// last, in the most time without one; for a blocked cause the waker of the
// longest wait.
type culprit struct {
	Task event.Task
	Time time.Duration // lost to it
	Wait *Interval     // the longest such interval
	In   *event.Call   // the innermost call around Wait; nil outside of calls
}

// longestWait returns the longest wait that counts as one of the cause's, by
// what it means, not by what the Linux kernel side could tell.
func (s *Stall) longestWait() (longest culprit, count int) {
	s.visit(func(n nesting, i *Interval) {
		if i.Blocked() == 0 || stateCauses[n.means(i)] != s.Cause {
			return
		}
		count++
		if longest.Wait == nil || i.Blocked() > longest.Wait.Blocked() {
			longest = culprit{Task: i.OffCPU.Waker, Time: i.Blocked(), Wait: i, In: n.innermost}
		}
	})
	return longest, count
}

// means is what it means that i is blocked.
func (n nesting) means(i *Interval) event.LedgerState {
	state := n.blockedMeans(i.Reason)
	if i.Starved && state == event.LedgerLock {
		return event.LedgerInputWait
	}
	return state
}

// preemptors returns who took the dispatcher's CPU or had it last, the one in
// whose waits most time went first. Others may have had the CPU in between. Of
// time without a quota nobody is to blame, whoever ran then.
func (s *Stall) preemptors() []culprit {
	var culprits []culprit
	s.visit(func(n nesting, i *Interval) {
		if i.Runnable() == 0 || i.OffCPU.Preemptor.Thread.TID == 0 || i.RunnableReason() == event.ReasonThrottled ||
			n.yields(i.RunnableReason()) {
			return
		}
		at := slices.IndexFunc(culprits, func(c culprit) bool { return samePreemptor(c.Task, i.OffCPU.Preemptor) })
		if at < 0 {
			at = len(culprits)
			culprits = append(culprits, culprit{Task: i.OffCPU.Preemptor, Wait: i, In: n.innermost})
		}
		culprits[at].Time += i.Runnable()
		if i.Runnable() > culprits[at].Wait.Runnable() {
			culprits[at].Wait, culprits[at].In = i, n.innermost
		}
	})
	slices.SortStableFunc(culprits, func(a, b culprit) int { return cmp.Compare(b.Time, a.Time) })
	return culprits
}

// samePreemptor reports whether two threads are the same program: one process, under one name.
func samePreemptor(a, b event.Task) bool {
	return a.Thread.PID == b.Thread.PID && a.Comm == b.Comm
}

func withoutCPU(s *Stall) string {
	phrase := "without a CPU"
	p := s.preemptors()
	switch {
	case s.throttled():
		phrase = "throttled by its CPU quota"
	case len(p) > 0:
		// Who had the CPU is known at one end of each wait; others may have had it in between.
		phrase = fmt.Sprintf("%s, which %s (pid %d) took or had last in waits of %s", phrase, p[0].Task.Comm, p[0].Task.Thread.PID, shown(p[0].Time))
	}
	if s.Cycle.Interrupted > 0 {
		phrase += fmt.Sprintf("; interrupted launches: %d of %d", s.Cycle.Interrupted, s.Cycle.Launches)
	}
	return phrase
}

// throttled reports whether most of the recorded time without a CPU was for a quota.
func (s *Stall) throttled() bool {
	var all, quota time.Duration
	s.visit(func(_ nesting, i *Interval) {
		all += i.Runnable()
		if i.OffCPU != nil && i.RunnableReason() == event.ReasonThrottled {
			quota += i.Runnable()
		}
	})
	return quota > all/2
}

// blockedFor tells the longest wait of a blocked cause.
func blockedFor(s *Stall) string {
	longest, count := s.longestWait()
	if count == 0 {
		return fmt.Sprintf("in waits that have no records of their own (%s)", s.State)
	}
	phrase := reasonPhrase(longest.Wait.Reason)
	if longest.In != nil {
		phrase += " in " + functionName(longest.In)
	}
	if count > 1 {
		phrase += fmt.Sprintf(" (%d waits, the longest %s)", count, shown(longest.Wait.Blocked()))
	}
	return phrase + woken(longest.Wait)
}

// mostIn names the outermost of the calls that is chooses with the most time, and their number.
func (s *Stall) mostIn(is func(nesting) bool) string {
	type share struct {
		function string
		time     time.Duration
		count    int
	}
	var shares []share
	s.visit(func(n nesting, i *Interval) {
		if i.Call == nil || is(n) || !is(n.enter(i.Call)) {
			return
		}
		name := functionName(i.Call)
		at := slices.IndexFunc(shares, func(s share) bool { return s.function == name })
		if at < 0 {
			at = len(shares)
			shares = append(shares, share{function: name})
		}
		shares[at].time += i.Duration()
		shares[at].count++
	})
	if len(shares) == 0 {
		return ""
	}
	slices.SortStableFunc(shares, func(a, b share) int { return cmp.Compare(b.time, a.time) })
	in := "mostly in"
	if 2*shares[0].time < s.Time {
		in = "most of what is recorded in"
	}
	if shares[0].count == 1 {
		return fmt.Sprintf(", %s %s (%s)", in, shares[0].function, shown(shares[0].time))
	}
	return fmt.Sprintf(", %s %s (%d calls, %s)", in, shares[0].function, shares[0].count, shown(shares[0].time))
}

func isWaiting(n nesting) bool { return n.waiting }

func isLoading(n nesting) bool { return n.first || n.class == probe.ClassModuleLoad }

func isClass(class probe.Class) func(nesting) bool {
	return func(n nesting) bool { return n.class == class }
}
