package causality

import (
	"cmp"
	"slices"
	"time"

	"github.com/gpucause/gpucause/internal/collective"
	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
	"github.com/gpucause/gpucause/internal/timeline"
)

// Stall is a dispatch cycle worth a trace, with its explanation.
type Stall struct {
	Verdict
	Process event.ProcessID
	Cycle   event.Cycle
	// Children are the outermost calls and the off-CPU intervals outside of
	// calls, in order of time; where there are too many, the longest.
	Children   []*Interval
	Omitted    int  // outermost calls and intervals that are not in Children for MaxCycleIntervals
	Incomplete bool // the timeline had no room for all calls and intervals of the cycle
	// Truncated and Untraced are as in a Chain.
	Truncated int
	Untraced  []Untraced
	Stacks    []Stack // of the dispatcher's blocked intervals, the longest in all first; at most MaxStacks
	// Collective is the operation of NCCL that the dispatcher waited for longest, if any.
	Collective *collective.Operation
}

// MaxStacks is how many stacks a Stall has at most.
const MaxStacks = 3

// Stack is a Linux kernel stack in which the dispatcher was blocked.
type Stack struct {
	Example *event.OffCPU // has the stack
	Reason  event.OffCPUReason
	Count   int
	Total   time.Duration
}

// Mean returns the mean time of a wait with this stack.
func (s *Stack) Mean() time.Duration { return s.Total / time.Duration(s.Count) }

// ExplainCycle returns the stall that verdict says cycle is. The timeline must
// have advanced past the cycle's settling, which holds while it is being
// emitted. The stall shares the cycle's records.
func ExplainCycle(tl *timeline.Timeline, cycle *timeline.Cycle, verdict Verdict, settings Settings) *Stall {
	x := newExplainer(tl, settings)
	s := &Stall{Verdict: verdict, Process: cycle.Process, Cycle: cycle.Record, Incomplete: cycle.Incomplete}
	s.Children, s.Omitted = x.cycle(cycle)
	var blocked []*Interval
	for _, child := range s.Children {
		blocked = waits(blocked, child)
	}
	s.Stacks = topStacks(blocked)
	x.explainWaits(blocked)
	s.Truncated, s.Untraced = x.truncated, x.sortedUntraced()
	if settings.Waited != nil {
		s.Collective, _ = settings.Waited(cycle.Thread(), cycle.Record.Start, cycle.Record.End)
	}
	return s
}

// cycle copies a cycle into the chain's form, and returns how many of its
// intervals are too many.
func (x *explainer) cycle(c *timeline.Cycle) (children []*Interval, omitted int) {
	for _, tree := range c.Trees {
		i := x.tree(c.Process, tree.Root)
		clipTo(i, c.Record.Start, c.Record.End)
		children = append(children, i)
	}
	for _, o := range c.OffCPU {
		i := x.offCPU(c.Process, o)
		i.Starved = originOf(x.timeline, o, &x.settings) != originNone
		clipTo(i, c.Record.Start, c.Record.End)
		children = append(children, i)
	}
	all := len(children)
	children = longestIntervals(children, x.settings.MaxCycleIntervals)
	sortByStart(children)
	return children, all - len(children)
}

// clipTo clips i and what is in it to [from, to).
func clipTo(i *Interval, from, to ktime.Time) {
	i.Start = min(max(i.Start, from), to)
	i.End = min(max(i.End, i.Start), to)
	if i.OffCPU != nil {
		i.Wake = min(max(i.Wake, i.Start), i.End)
	}
	for _, child := range i.Children {
		clipTo(child, from, to)
	}
}

// longestIntervals keeps failing calls first, then the longest intervals, until
// they hold n with all that is in them.
func longestIntervals(children []*Interval, n int) []*Interval {
	slices.SortStableFunc(children, func(a, b *Interval) int {
		return cmp.Or(cmp.Compare(failing(b), failing(a)), cmp.Compare(b.Duration(), a.Duration()))
	})
	for kept, child := range children {
		n -= size(child)
		if n < 0 && kept > 0 {
			return children[:kept]
		}
	}
	return children
}

func failing(i *Interval) int {
	if i.Call != nil && i.Call.Notable&(event.NotableFailed|event.NotableAbandoned) != 0 {
		return 1
	}
	return 0
}

func size(i *Interval) int {
	n := 1
	for _, child := range i.Children {
		n += size(child)
	}
	return n
}

// topStacks adds up blocked intervals by stack.
func topStacks(blocked []*Interval) []Stack {
	var stacks []Stack
	index := make(map[[event.MaxStack]uint64]int)
	for _, i := range blocked {
		if i.OffCPU.Stack[0] == 0 {
			continue
		}
		at, known := index[i.OffCPU.Stack]
		if !known {
			at = len(stacks)
			index[i.OffCPU.Stack] = at
			stacks = append(stacks, Stack{Example: i.OffCPU, Reason: i.Reason})
		}
		stacks[at].Count++
		stacks[at].Total += i.Blocked()
	}
	slices.SortStableFunc(stacks, func(a, b Stack) int { return cmp.Compare(b.Total, a.Total) })
	return stacks[:min(len(stacks), MaxStacks)]
}
