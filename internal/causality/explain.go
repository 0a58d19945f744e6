package causality

import (
	"cmp"
	"slices"

	"github.com/gpucause/gpucause/internal/collective"
	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
	"github.com/gpucause/gpucause/internal/timeline"
)

// Settings bounds a chain. A zero field takes its default.
type Settings struct {
	MaxDepth     int // wakers behind wakers; default 4
	MaxIntervals int // wakers' intervals in one chain; default 64
	// MaxCycleIntervals bounds the dispatcher's own intervals in a stall: whole
	// outermost calls, the longest. Default 512.
	MaxCycleIntervals int
	// Waited returns the operation of NCCL that a thread waited for longest in
	// [from, to]. Nil knows of none.
	Waited func(thread event.Thread, from, to ktime.Time) (*collective.Operation, bool)
	// Symbol names a Linux kernel address, without offset, or returns "". Nil
	// leaves the reasons as the scheduler told them.
	Symbol func(address uint64) string
}

func (s Settings) withDefaults() Settings {
	if s.MaxDepth <= 0 {
		s.MaxDepth = 4
	}
	if s.MaxIntervals <= 0 {
		s.MaxIntervals = 64
	}
	if s.MaxCycleIntervals <= 0 {
		s.MaxCycleIntervals = 512
	}
	return s
}

// reason returns why o happened, refined by its stack.
func (s *Settings) reason(o *event.OffCPU) event.OffCPUReason {
	if s.Symbol == nil || o.Stack[0] == 0 {
		return o.Reason
	}
	var symbols []string
	for _, address := range o.Stack {
		if address == 0 {
			break
		}
		symbols = append(symbols, s.Symbol(address))
	}
	return RefineReason(o.Reason, symbols)
}

// Explain returns the chain of tree. The timeline must have advanced past the
// tree's settling, which holds while it is being emitted. The chain shares the
// tree's records.
func Explain(tl *timeline.Timeline, tree *timeline.Tree, settings Settings) *Chain {
	x := newExplainer(tl, settings)
	chain := &Chain{Process: tree.Process, Orphan: tree.Orphan, Attribution: CallCause(tree, x.settings)}
	chain.Root = x.tree(tree.Process, tree.Root)
	x.explainWaits(waits(nil, chain.Root))
	chain.Truncated, chain.Untraced = x.truncated, x.sortedUntraced()
	return chain
}

type explainer struct {
	timeline  *timeline.Timeline
	settings  Settings
	truncated int
	untraced  []Untraced
	left      int    // intervals of wakers that may still be added
	path      []hold // the waits from the root to here
}

func newExplainer(tl *timeline.Timeline, settings Settings) *explainer {
	settings = settings.withDefaults()
	return &explainer{timeline: tl, settings: settings, left: settings.MaxIntervals}
}

// hold is a thread that waits.
type hold struct {
	thread   event.Thread
	from, to ktime.Time
}

// tree copies a tree of calls into the chain's form.
func (x *explainer) tree(process event.ProcessID, node *timeline.Node) *Interval {
	i := &Interval{Process: process, Call: node.Call, Start: node.Call.Start, End: node.Call.End}
	for _, child := range node.Children {
		i.Children = append(i.Children, x.tree(process, child))
	}
	for _, o := range node.OffCPU {
		i.Children = append(i.Children, x.offCPU(process, o))
	}
	sortByStart(i.Children)
	return i
}

func (x *explainer) offCPU(process event.ProcessID, o *event.OffCPU) *Interval {
	return &Interval{
		Process: process, OffCPU: o,
		Start: o.Start, Wake: wake(o), End: o.End,
		Reason: x.settings.reason(o),
	}
}

// waits appends the blocked intervals of one thread at and below i to dst.
func waits(dst []*Interval, i *Interval) []*Interval {
	if i.OffCPU != nil {
		if i.Blocked() > 0 {
			dst = append(dst, i)
		}
		return dst
	}
	for _, child := range i.Children {
		dst = waits(dst, child)
	}
	return dst
}

// explainWaits tells the stories of waits, the longest first: what the bounds
// cut is the least important.
func (x *explainer) explainWaits(waits []*Interval) {
	slices.SortStableFunc(waits, func(a, b *Interval) int {
		return cmp.Or(cmp.Compare(b.Blocked(), a.Blocked()), cmp.Compare(a.Start, b.Start))
	})
	for _, wait := range waits {
		wait.Story = x.tell(wait)
	}
}

func (x *explainer) tell(wait *Interval) Story {
	o := wait.OffCPU
	switch {
	case o.WakerContext.Interrupt():
		return StoryInterrupt
	case o.WakerContext != event.WakerTask || o.Waker.Thread.TID == 0:
		return StoryUnknown
	case x.onPath(wait):
		return StoryCycle
	}
	coverage := x.timeline.Coverage(o.Waker.Thread, wait.Start, wait.Wake)
	if coverage == timeline.NotTraced {
		x.addUntraced(wait)
		return StoryNotTraced
	}
	found := x.timeline.Intervals(nil, o.Waker.Thread, wait.Start, wait.Wake)
	if len(found) > 0 && (len(x.path) >= x.settings.MaxDepth || x.left == 0) {
		x.truncated++
		return StoryTruncated
	}
	kept := x.keep(found)
	x.expand(wait, kept)
	return story(coverage, len(found), len(kept))
}

// onPath reports whether the waker is the waiting thread itself, or one that
// waits in the meantime for this very wait to end.
func (x *explainer) onPath(wait *Interval) bool {
	waker := wait.OffCPU.Waker.Thread
	if waker == wait.OffCPU.Task.Thread {
		return true
	}
	return slices.ContainsFunc(x.path, func(h hold) bool {
		return h.thread == waker && h.from < wait.Wake && wait.Start < h.to
	})
}

// expand puts the waker's intervals under wait, and explains their waits.
func (x *explainer) expand(wait *Interval, kept []timeline.Interval) {
	wait.Children = x.nest(kept, wait.Start, wait.Wake)

	x.path = append(x.path, hold{wait.OffCPU.Task.Thread, wait.Start, wait.Wake})
	var next []*Interval
	for _, child := range wait.Children {
		next = waits(next, child)
	}
	x.explainWaits(next)
	x.path = x.path[:len(x.path)-1]
}

func story(coverage timeline.Coverage, found, kept int) Story {
	switch {
	case kept < found:
		return StoryTruncated
	case coverage == timeline.PartlyTraced:
		return StoryPartial
	case found == 0:
		return StoryRunning
	default:
		return StoryTold
	}
}

// keep returns as many of found as there is room for, the longest, in their order.
func (x *explainer) keep(found []timeline.Interval) []timeline.Interval {
	if len(found) > x.left {
		x.truncated++
		found = longest(found, x.left)
	}
	x.left -= len(found)
	return found
}

func longest(found []timeline.Interval, n int) []timeline.Interval {
	order := make([]int, len(found))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Compare(found[b].End().Sub(found[b].Start()), found[a].End().Sub(found[a].Start()))
	})
	order = order[:n]
	slices.Sort(order)
	kept := make([]timeline.Interval, n)
	for i, index := range order {
		kept[i] = found[index]
	}
	return kept
}

func (x *explainer) addUntraced(wait *Interval) {
	waker := wait.OffCPU.Waker
	for n := range x.untraced {
		if u := &x.untraced[n]; u.Task.Thread == waker.Thread {
			u.Blocked += wait.Blocked()
			return
		}
	}
	x.untraced = append(x.untraced, Untraced{Task: waker, Blocked: wait.Blocked()})
}

func (x *explainer) sortedUntraced() []Untraced {
	slices.SortStableFunc(x.untraced, func(a, b Untraced) int { return cmp.Compare(b.Blocked, a.Blocked) })
	return x.untraced
}
