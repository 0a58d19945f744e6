package causality

import (
	"fmt"
	"time"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/probe"
)

// Summary tells the chain in one plain sentence: how long the outermost call
// took, how much of it its thread was off-CPU, for what mostly, who ended that,
// and what that thread in turn was waiting for.
func Summary(chain *Chain) string {
	call := chain.Root.Call
	offCPU := call.Blocked + call.Runnable
	if offCPU == 0 {
		return opening(call) + ", all of it on a CPU" + onCPU(chain.Root)
	}
	return opening(call) + ": its thread was " + waiting(chain.Root, offCPU)
}

// waiting tells what a call's off-CPU time was, mostly.
func waiting(root *Interval, offCPU time.Duration) string {
	main := mainReason([]*Interval{root})
	if main.time == 0 {
		return "off-CPU for " + shown(offCPU) + tooShort(root.Call)
	}
	phrase := fmt.Sprintf("%s for %s%s", reasonPhrase(main.reason), shown(main.time), ending(main))
	if main.time >= offCPU {
		return phrase
	}
	return fmt.Sprintf("off-CPU for %s, %s", shown(offCPU), phrase)
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

// ending tells who ended or made the longest interval of a share, and what that
// thread was waiting for itself.
func ending(s share) string {
	if s.reason.Runnable() {
		return preemptor(s.longest)
	}
	return woken(s.longest)
}

func preemptor(i *Interval) string {
	p := i.OffCPU.Preemptor
	switch {
	case p.Thread.TID == 0:
		return ""
	case i.RunnableReason() == event.ReasonPreempted:
		return " by " + taskName(p)
	case i.RunnableReason() == event.ReasonRunQueue:
		return ", which " + taskName(p) + " had last"
	default:
		return ""
	}
}

func woken(i *Interval) string {
	switch i.Story {
	case StoryInterrupt:
		return interrupted(i.Reason)
	case StoryUnknown, StoryNone:
		return ""
	}
	phrase := ", woken by " + taskName(i.OffCPU.Waker)
	switch i.Story {
	case StoryNotTraced:
		return phrase + ", which is not traced"
	case StoryRunning:
		return phrase + ", which was running meanwhile as far as recorded"
	default:
		return phrase + wakerPhrase(i)
	}
}

// interrupted says that an interrupt ended the wait, where that is not what the reason means anyway.
func interrupted(reason event.OffCPUReason) string {
	if reason == event.ReasonIO || reason == event.ReasonSleep {
		return ""
	}
	return ", woken by an interrupt"
}

func wakerPhrase(wait *Interval) string {
	main := mainReason(wait.Children)
	if main.time == 0 {
		return inCall(wait)
	}
	return fmt.Sprintf(", which was itself %s for %s%s", reasonPhrase(main.reason), shown(main.time), ending(main))
}

// inCall names the call that the waker was in meanwhile, when it was in one for
// most of the wait.
func inCall(wait *Interval) string {
	if call := dominant(wait.Children, wait.Blocked()/2); call != nil {
		return ", which was in " + functionName(call.Call) + " meanwhile"
	}
	return ""
}

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
