package scenario

import (
	"fmt"
	"strings"
	"time"

	"github.com/gpucause/gpucause/internal/causality"
	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
	"github.com/gpucause/gpucause/internal/probe"
	"github.com/gpucause/gpucause/internal/timeline"
)

// Teller receives what a story tells.
type Teller struct {
	Chain func(*causality.Chain)
	Stall func(*causality.Stall) // of the cycles that are worth a trace
}

// Run plays the story and hands every chain and stall to tell, in order.
func (s *Story) Run(tell Teller) timeline.Stats {
	tl := timeline.New(timeline.Settings{})
	for _, f := range s.Follows {
		tl.Follow(f.Process, f.At)
	}
	judge := causality.NewJudge(s.Judge)
	emit := timeline.Handler{
		Tree: func(tree *timeline.Tree) { tell.Chain(causality.Explain(tl, tree, s.Settings)) },
		Cycle: func(cycle *timeline.Cycle) {
			if v := judge.Judge(cycle); v.Kind != causality.KindNone {
				tell.Stall(causality.ExplainCycle(tl, cycle, v, s.Settings))
			}
		},
	}
	for n := range s.Records {
		tl.Add(&s.Records[n])
		tl.Advance(arrivalTime(&s.Records[n]), emit)
	}
	tl.Advance(Epoch.Add(time.Hour), emit)
	return tl.Stats()
}

func arrivalTime(r *event.Record) ktime.Time {
	switch r.Kind {
	case event.KindCall:
		return r.Call.End
	case event.KindOffCPU:
		return r.OffCPU.End
	case event.KindCycle:
		return r.Cycle.End
	default:
		return r.Process.At
	}
}

// Tell plays the story and writes down its chains.
func (s *Story) Tell() string {
	var out strings.Builder
	stats := s.Run(Teller{
		Chain: func(chain *causality.Chain) { writeChain(&out, chain) },
		Stall: func(stall *causality.Stall) { writeStall(&out, stall) },
	})
	if lost := losses(stats); lost != "" {
		fmt.Fprintf(&out, "losses:%s\n", lost)
	}
	return out.String()
}

func writeChain(out *strings.Builder, chain *causality.Chain) {
	write(out, chain.Root, 0)
	if chain.Orphan {
		out.WriteString("  (its enclosing call is missing)\n")
	}
	writeUntraced(out, chain.Untraced)
	fmt.Fprintf(out, "  %s %.2f = %s\n", chain.Cause, chain.Explained, causality.Summary(chain))
}

func writeStall(out *strings.Builder, stall *causality.Stall) {
	cycle := &stall.Cycle
	fmt.Fprintf(out, "cycle #%d %s, %s: %s", cycle.ID, span(cycle.Start, cycle.End), who(cycle.Task), stall.Kind)
	if stall.Typical > 0 {
		fmt.Fprintf(out, ", typically %s", stall.Typical)
	}
	out.WriteString("\n")
	for _, child := range stall.Children {
		write(out, child, 1)
	}
	if stall.Incomplete {
		out.WriteString("  (incomplete)\n")
	}
	writeUntraced(out, stall.Untraced)
	for _, s := range stall.Stacks {
		fmt.Fprintf(out, "  (stack: %s, count %d, mean %s)\n", s.Reason, s.Count, s.Mean())
	}
	fmt.Fprintf(out, "  %s %.2f = %s\n", stall.Cause, stall.Explained, causality.StallSummary(stall))
}

func writeUntraced(out *strings.Builder, untraced []causality.Untraced) {
	for _, u := range untraced {
		fmt.Fprintf(out, "  (not traced: %s, waited for %s)\n", who(u.Task), u.Blocked)
	}
}

func losses(s timeline.Stats) string {
	var out strings.Builder
	for _, l := range []struct {
		name  string
		count uint64
	}{
		{"orphan trees", s.OrphanTrees},
		{"reattached", s.Reattached},
		{"orphan off-CPU", s.OrphanOffCPU},
		{"trees in no cycle", s.TreesDiscarded},
		{"malformed", s.Malformed},
	} {
		if l.count > 0 {
			fmt.Fprintf(&out, " %s %d", l.name, l.count)
		}
	}
	return out.String()
}

func write(out *strings.Builder, i *causality.Interval, depth int) {
	indent := strings.Repeat("  ", depth)
	if i.Call != nil {
		fmt.Fprintf(out, "%s%s %s%s, %s%s\n", indent, name(i.Call), span(i.Start, i.End), clip(i), who(i.Call.Task), details(i.Call))
	} else {
		writeBlocked(out, i, indent)
	}
	for _, child := range i.Children {
		write(out, child, depth+1)
	}
	writeRunnable(out, i, indent)
}

func writeBlocked(out *strings.Builder, i *causality.Interval, indent string) {
	if i.Blocked() > 0 {
		fmt.Fprintf(out, "%s%s blocked: %s %s%s, waker %s%s\n", indent,
			who(i.Task()), i.Reason, span(i.Start, i.Wake), clip(i), waker(i), i.Story)
	}
}

func writeRunnable(out *strings.Builder, i *causality.Interval, indent string) {
	if i.Runnable() > 0 {
		fmt.Fprintf(out, "%s%s runnable: %s %s%s%s\n", indent,
			who(i.Task()), i.RunnableReason(), span(i.Wake, i.End), clip(i), preemptor(i))
	}
}

func waker(i *causality.Interval) string {
	if i.OffCPU.WakerContext != event.WakerTask {
		return ""
	}
	return who(i.OffCPU.Waker) + " "
}

func preemptor(i *causality.Interval) string {
	if i.OffCPU.Preemptor.Thread.TID == 0 {
		return ""
	}
	return ", CPU had by " + who(i.OffCPU.Preemptor)
}

func clip(i *causality.Interval) string {
	if i.Clipped() {
		return " (clipped)"
	}
	return ""
}

func details(call *event.Call) string {
	var out strings.Builder
	if call.Notable&event.NotableFailed != 0 {
		fmt.Fprintf(&out, ", failed %d", call.Result)
	}
	if call.Notable&event.NotableFirstLaunch != 0 {
		out.WriteString(", first launch")
	}
	if call.Notable&event.NotableAbandoned != 0 {
		out.WriteString(", abandoned")
	}
	return out.String()
}

func name(call *event.Call) string { return probe.Get(call.Probe).Function }

func who(t event.Task) string { return fmt.Sprintf("%s(%d)", t.Comm, t.Thread.TID) }

func span(start, end ktime.Time) string {
	return fmt.Sprintf("%s..%s", start.Sub(Epoch), end.Sub(Epoch))
}
