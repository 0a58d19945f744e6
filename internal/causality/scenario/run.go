package scenario

import (
	"fmt"
	"strings"
	"time"

	"github.com/gpucause/gpucause/internal/causality"
	"github.com/gpucause/gpucause/internal/collective"
	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
	"github.com/gpucause/gpucause/internal/probe"
	"github.com/gpucause/gpucause/internal/timeline"
)

// slow is from when on waits for collectives, and their arrivals, are slow.
const slow = 5 * time.Millisecond

// Teller receives what a story tells.
type Teller struct {
	Chain func(*causality.Chain)
	Stall func(*causality.Stall) // of the cycles that are worth a trace
	// Collective is told the operations of NCCL that are worth a span; nil discards.
	Collective func(*collective.Operation)
}

// Run plays the story and hands every chain and stall to tell, in order.
func (s *Story) Run(tell Teller) timeline.Stats {
	tl := timeline.New(timeline.Settings{})
	for _, f := range s.Follows {
		tl.Follow(f.Process, f.At)
	}
	tracker := collective.New(collective.Settings{HostID: "host", SampleEvery: -1})
	explain := s.Settings
	explain.Waited = tracker.LongestWait
	arrivals := causality.NewArrivals(slow, explain)
	judge := causality.NewJudge(s.Judge)
	meet := collective.Handler{
		Arrived: func(o *collective.Operation) { o.Late, _ = arrivals.Explain(tl, o) },
		Told: func(o *collective.Operation) {
			if tell.Collective != nil && tracker.Worth(o) {
				tell.Collective(o)
			}
		},
	}
	emit := timeline.Handler{
		Tree: func(tree *timeline.Tree) { tell.Chain(causality.Explain(tl, tree, explain)) },
		Cycle: func(cycle *timeline.Cycle) {
			if v := judge.Judge(tl, cycle); v.Kind != causality.KindNone {
				tell.Stall(causality.ExplainCycle(tl, cycle, v, explain))
			}
		},
	}
	for n := range s.Records {
		tracker.Add(&s.Records[n])
		tl.Add(&s.Records[n])
		now := arrivalTime(&s.Records[n])
		tracker.Advance(now, meet)
		tl.Advance(now, emit)
	}
	over := Epoch.Add(time.Hour)
	tracker.Advance(over, meet)
	tl.Advance(over, emit)
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
	case event.KindCommunicator:
		return r.Communicator.At
	case event.KindCollective:
		return r.Collective.End
	case event.KindCompletion:
		return r.Completion.End
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

		Collective: func(o *collective.Operation) { writeCollective(&out, o) },
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

func writeCollective(out *strings.Builder, o *collective.Operation) {
	fmt.Fprintf(out, "%s #%d, rank %d, %s: ", o.Row().Function, o.Number(), o.Communicator.Rank, who(o.Task))
	if o.Failed() {
		fmt.Fprintf(out, "failed %d", o.Result)
	} else {
		fmt.Fprintf(out, "queued %s", o.Enqueued.Sub(Epoch))
	}
	if o.Completed != 0 {
		fmt.Fprintf(out, ", complete %s", o.Completed.Sub(Epoch))
	}
	if peer, known := o.PeerWait(); known {
		fmt.Fprintf(out, ", waited %s, for another rank %s", o.Wait.Duration(), peer)
	}
	if o.Late != (collective.Reason{}) {
		fmt.Fprintf(out, "\n  late: %s %.2f = %s", o.Late.Cause, o.Late.Explained, o.Late.Clause)
	}
	out.WriteString("\n")
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
