package causality

import (
	"cmp"
	"slices"

	"github.com/gpucause/gpucause/internal/ktime"
	"github.com/gpucause/gpucause/internal/timeline"
)

// nest rebuilds the nesting of one thread's intervals, which are by start, the
// enclosing one first, and clips them to [from, to).
func (x *explainer) nest(found []timeline.Interval, from, to ktime.Time) []*Interval {
	var top []*Interval
	var open []*Interval // the calls that enclose the next interval, outermost first
	for _, f := range found {
		i := x.clipped(f, from, to)
		for len(open) > 0 && !encloses(open[len(open)-1], f) {
			open = open[:len(open)-1]
		}
		if len(open) == 0 {
			top = append(top, i)
		} else {
			parent := open[len(open)-1]
			parent.Children = append(parent.Children, i)
		}
		if i.Call != nil {
			open = append(open, i)
		}
	}
	return top
}

// encloses reports whether f happened inside a call of the same thread.
func encloses(call *Interval, f timeline.Interval) bool {
	return f.Start() >= call.Call.Start && f.End() <= call.Call.End
}

func (x *explainer) clipped(f timeline.Interval, from, to ktime.Time) *Interval {
	if f.Call != nil {
		return &Interval{
			Process: f.Process, Call: f.Call,
			Start: max(f.Call.Start, from), End: min(f.Call.End, to),
			InCycle: x.timeline.Dispatches(f.Call.Task.Thread),
		}
	}
	i := x.offCPU(f.Process, f.OffCPU)
	i.Start, i.End = max(i.Start, from), min(i.End, to)
	i.Wake = min(max(i.Wake, i.Start), i.End)
	return i
}

func sortByStart(intervals []*Interval) {
	slices.SortStableFunc(intervals, func(a, b *Interval) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(b.End, a.End))
	})
}
