package core

import (
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/group"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/join"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/neighbour"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/request"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/spans"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/window"
)

// gpuCauses are the causes of stalls in which the dispatcher waited for work
// that requests had given the GPU.
var gpuCauses = [...]string{"gpu_busy", "launch_queue_full"}

// maxWaits bounds the stalls for which neighbours are looked for: the longest.
const maxWaits = 4

// Outcome is what became of a request, in numbers for the component's metrics.
type Outcome struct {
	Joined   bool // at least a summary was appended
	Stalls   int  // that it met
	Children int  // that were appended, without the summary
	// What was left out: beyond the most that are shown, and for want of budget.
	NotShown, OverBudget int
	Links                int // from stalls back to the request
	NotLinked            int // because the stall had been linked often enough
	Truncated            bool
}

// Join appends to the payload what a request of a group met. Nothing is appended
// where it met no stall.
func (c *Core) Join(to *spans.Payload, r *request.Request, d *group.Decision, now window.Time) Outcome {
	c.stalls.Unite(d.Members)
	result := c.selector.Select(c.stalls, r, d)
	o := Outcome{Stalls: result.Totals.Count, Truncated: result.Totals.Truncated}
	if o.Stalls == 0 {
		return o
	}
	o.NotShown = o.Stalls - result.Shown
	o.Joined, o.Children = c.budget.take(result.Shown, now)
	o.OverBudget = result.Shown - o.Children
	if !o.Joined {
		return o
	}
	result.Shown = o.Children
	c.link(result.Hits[:result.Shown], &o)
	to.Append(&spans.Joined{Result: result, Decision: d, Neighbours: c.neighboursOf(r, d, &result)})
	return o
}

func (c *Core) link(hits []join.Hit, o *Outcome) {
	for i := range hits {
		hits[i].Link(c.settings.MaxLinks)
		if hits[i].Linked {
			o.Links++
		} else {
			o.NotLinked++
		}
	}
}

// oneEngine reports whether the requests of a group ran beside each other: those
// of several engines may each have been on another GPU.
func oneEngine(d *group.Decision) bool { return d.Scope != group.ScopeService }

// neighboursOf returns whose work the GPU did while the request's longest stalls
// waited for it.
func (c *Core) neighboursOf(r *request.Request, d *group.Decision, result *join.Result) []neighbour.Neighbour {
	if c.settings.Named == 0 || !oneEngine(d) {
		return nil
	}
	var waits []window.Window
	for i := range result.Hits {
		if len(waits) < maxWaits && waitsForGPU(result.Hits[i].Cause) {
			waits = append(waits, result.Hits[i].Overlap)
		}
	}
	return c.neighbours.Find(d.Key(), r, waits)
}

func waitsForGPU(cause string) bool {
	for _, one := range gpuCauses {
		if cause == one {
			return true
		}
	}
	return false
}
