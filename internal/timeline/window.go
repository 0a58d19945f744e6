package timeline

import (
	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
)

// Window returns what is remembered of a thread in a time that is no dispatch
// cycle: the outermost calls that overlap (from, to], and the intervals outside
// of calls that do. The record of the cycle, but for its times, is the caller's
// to fill in.
func (t *Timeline) Window(process event.ProcessID, thread event.Thread, from, to ktime.Time) *Cycle {
	c := &Cycle{Process: process, Record: event.Cycle{Start: from, End: to}, Incomplete: true}
	if p := t.processes[thread.PID]; p != nil && p.threads[thread.TID] != nil {
		c.Incomplete = p.threads[thread.TID].history.forgotten > from
	}
	var open []*Node // the calls that enclose the next interval, outermost first
	for _, i := range t.Intervals(nil, thread, from, to) {
		for len(open) > 0 && !encloses(open[len(open)-1].Call, i) {
			open = open[:len(open)-1]
		}
		open = c.place(open, i)
	}
	return c
}

// encloses reports whether i happened inside a call of the same thread.
func encloses(call *event.Call, i Interval) bool {
	return i.Start() >= call.Start && i.End() <= call.End
}

// place puts i into the innermost of the open calls, and returns those that are
// open then.
func (c *Cycle) place(open []*Node, i Interval) []*Node {
	if i.OffCPU != nil {
		if len(open) == 0 {
			c.OffCPU = append(c.OffCPU, i.OffCPU)
		} else {
			parent := open[len(open)-1]
			parent.OffCPU = append(parent.OffCPU, i.OffCPU)
		}
		return open
	}
	node := &Node{Call: i.Call}
	if len(open) == 0 {
		c.Trees = append(c.Trees, &Tree{Process: c.Process, Root: node})
	} else {
		parent := open[len(open)-1]
		parent.Children = append(parent.Children, node)
	}
	return append(open, node)
}
