package causality

import (
	"fmt"
	"strings"
	"time"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/probe"
)

// Summary tells the chain in one plain sentence: how long the outermost call
// took, how much of it its thread was off-CPU, for what mostly, who ended that,
// and what that thread in turn was waiting for.
func Summary(chain *Chain) string {
	call := chain.Root.Call
	var s strings.Builder
	s.WriteString(opening(call))
	offCPU := call.Blocked + call.Runnable
	if offCPU == 0 {
		s.WriteString(", all of it on a CPU")
		s.WriteString(onCPU(chain.Root))
		return s.String()
	}
	fmt.Fprintf(&s, ": its thread was off-CPU for %s", shown(offCPU))
	main := mainReason([]*Interval{chain.Root})
	switch {
	case main.time == 0:
		s.WriteString(tooShort(call))
	case main.reason.Runnable():
		fmt.Fprintf(&s, ", %s for %s%s", runnablePhrase(main.reason), shown(main.time), preemptor(main.longest))
	default:
		fmt.Fprintf(&s, ", blocked on %s for %s%s", main.reason, shown(main.time), woken(main.longest))
	}
	return s.String()
}

func opening(call *event.Call) string {
	name, took := functionName(call), shown(call.End.Sub(call.Start))
	switch {
	case call.Notable&event.NotableAbandoned != 0:
		return fmt.Sprintf("%s never returned; it was left after %s", name, took)
	case call.Notable&event.NotableFailed != 0:
		return fmt.Sprintf("%s failed with %s after %s", name, resultName(call), took)
	case call.Notable&event.NotableFirstLaunch != 0:
		return fmt.Sprintf("%s, the first launch of this function in its process, took %s", name, took)
	default:
		return fmt.Sprintf("%s took %s", name, took)
	}
}

// onCPU names the nested call that took more than half of a call that was never off-CPU.
func onCPU(root *Interval) string {
	var deepest *Interval
	for i := root; i != nil; {
		i = dominant(i.Children, root.Duration()/2)
		if i != nil {
			deepest = i
		}
	}
	if deepest == nil {
		return ""
	}
	return fmt.Sprintf(", %s of it in %s", shown(deepest.Duration()), functionName(deepest.Call))
}

func dominant(children []*Interval, least time.Duration) *Interval {
	for _, child := range children {
		if child.Call != nil && child.Duration() > least {
			return child
		}
	}
	return nil
}

func tooShort(call *event.Call) string {
	if call.Switches == 1 {
		return ", in one interval that has no record of its own"
	}
	return fmt.Sprintf(", in %d intervals that have no records of their own", call.Switches)
}

func runnablePhrase(reason event.OffCPUReason) string {
	switch reason {
	case event.ReasonPreempted:
		return "preempted"
	case event.ReasonYield:
		return "having yielded its CPU"
	case event.ReasonThrottled:
		return "throttled by its CPU quota"
	default:
		return "ready to run without a CPU"
	}
}

func preemptor(i *Interval) string {
	p := i.OffCPU.Preemptor
	if p.Thread.TID == 0 {
		return ""
	}
	if i.RunnableReason() == event.ReasonPreempted {
		return " by " + taskName(p)
	}
	return " while " + taskName(p) + " had it"
}

// woken tells who ended a wait, and what that thread was waiting for itself.
func woken(i *Interval) string {
	switch i.Story {
	case StoryInterrupt:
		return ", woken by an interrupt"
	case StoryUnknown, StoryNone:
		return ""
	}
	phrase := ", woken by " + taskName(i.OffCPU.Waker)
	switch i.Story {
	case StoryNotTraced:
		return phrase + ", which is not traced"
	case StoryRunning:
		return phrase + ", which was running meanwhile"
	}
	return phrase + wakerPhrase(i)
}

func wakerPhrase(wait *Interval) string {
	main := mainReason(wait.Children)
	switch {
	case main.time == 0:
		return inCall(wait)
	case main.reason.Runnable():
		return fmt.Sprintf(", which was itself %s for %s%s", runnablePhrase(main.reason), shown(main.time), preemptor(main.longest))
	default:
		return fmt.Sprintf(", which was itself blocked on %s for %s%s", main.reason, shown(main.time), woken(main.longest))
	}
}

// inCall names the call that the waker was in meanwhile, when it was in one for
// most of the wait.
func inCall(wait *Interval) string {
	if call := dominant(wait.Children, wait.Blocked()/2); call != nil {
		return ", which was in " + functionName(call.Call) + " meanwhile"
	}
	return ""
}

func taskName(t event.Task) string { return fmt.Sprintf("%s (tid %d)", t.Comm, t.Thread.TID) }

func functionName(call *event.Call) string {
	if p := probe.Get(call.Probe); p != nil {
		return p.Function
	}
	return "unknown call"
}

func resultName(call *event.Call) string {
	if p := probe.Get(call.Probe); p != nil {
		return probe.ResultName(p.Layer, call.Result)
	}
	return fmt.Sprint(call.Result)
}

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
