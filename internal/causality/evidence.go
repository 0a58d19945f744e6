package causality

import (
	"time"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/probe"
	"github.com/gpucause/gpucause/internal/timeline"
)

// refiner corrects a ledger by what was recorded in detail: it moves time from
// the state that the Linux kernel side could tell to the one that it means.
type refiner struct {
	settings Settings
	timeline *timeline.Timeline // of the wakers; nil where nothing is known of them
	ledger   event.Ledger
	// slowLaunches is the time on a CPU of slow launches that were no first ones.
	slowLaunches time.Duration
	// copyWaits is the time blocked in copies that return when they are done.
	copyWaits time.Duration
	// idle is the time blocked, outside of calls, until something came from outside.
	idle time.Duration
}

// refineCycle returns the ledger of a cycle, refined by evidence inside it.
func refineCycle(tl *timeline.Timeline, c *timeline.Cycle, settings Settings) *refiner {
	r := &refiner{settings: settings, timeline: tl, ledger: c.Record.Ledger}
	for _, tree := range c.Trees {
		walk(r, nesting{}, tree.Root)
	}
	for _, o := range c.OffCPU {
		r.offCPU(nesting{}, o)
	}
	return r
}

func (r *refiner) move(from, to event.LedgerState, d time.Duration) {
	d = min(d, r.ledger[from])
	if from != to && d > 0 {
		r.ledger[from] -= d
		r.ledger[to] += d
	}
}

func (r *refiner) call(n nesting, onCPU time.Duration) {
	r.move(n.onCPU(), n.onCPUMeans(), onCPU)
	if n.innermost.Notable&event.NotableSlow == 0 {
		return
	}
	switch n.class {
	case probe.ClassLaunch:
		if !n.first {
			r.slowLaunches += onCPU
		}
	case probe.ClassMemcpy:
		r.move(event.LedgerMemcpy, n.copyWaitMeans(), onCPU-copyTime(n.innermost))
	}
}

// slowestCopy is a rate, in bytes per second, below which no copy is: what a slow
// copy took longer than its bytes take at this rate it waited for something else.
const slowestCopy = 256 << 20

// copyTime returns the longest time that the bytes of a copy can take.
func copyTime(call *event.Call) time.Duration {
	p := probe.Get(call.Probe)
	if p == nil || !p.CountsBytes {
		return call.End.Sub(call.Start)
	}
	seconds := float64(p.Size(call.Args[:])) / slowestCopy
	return time.Duration(min(seconds, maxCopy.Seconds()) * float64(time.Second))
}

// maxCopy bounds the time of a copy whose size is nonsense.
const maxCopy = time.Hour

func (r *refiner) offCPU(n nesting, o *event.OffCPU) {
	reason := r.settings.reason(o)
	woken := wake(o)
	means := n.blockedMeans(reason)
	if n.innermost == nil && (means == event.LedgerLock || means == event.LedgerInputWait) {
		switch originOf(r.timeline, o, &r.settings) {
		case originOutside:
			r.idle += woken.Sub(o.Start)
			means = event.LedgerInputWait
		case originInput:
			means = event.LedgerInputWait
		case originNone:
		}
	}
	r.move(n.blocked(o.Reason), means, woken.Sub(o.Start))
	if n.waiting && n.class == probe.ClassMemcpy {
		r.copyWaits += woken.Sub(o.Start)
	}
}

// tally adds up where the time of one call went.
type tally struct {
	settings          Settings
	ledger            event.Ledger
	blocked, runnable time.Duration // recorded
}

func (t *tally) call(n nesting, onCPU time.Duration) { t.ledger[n.onCPUMeans()] += onCPU }

func (t *tally) offCPU(n nesting, o *event.OffCPU) {
	reason := t.settings.reason(o)
	woken := wake(o)
	t.ledger[n.blockedMeans(reason)] += woken.Sub(o.Start)
	t.blocked += woken.Sub(o.Start)
	if !n.yields(reason) {
		t.ledger[event.LedgerRunnable] += o.End.Sub(woken)
		t.runnable += o.End.Sub(woken)
	}
}

// CallCause tells where the time of one outermost call went. There is no
// typical call to compare it with: all of its time is to be explained. Time
// that was off-CPU has an off-CPU State, whatever the cause.
func CallCause(tree *timeline.Tree, settings Settings) Attribution {
	t := tally{settings: settings}
	walk(&t, nesting{}, tree.Root)
	call := tree.Root.Call
	inside := nesting{}.enter(call)
	t.ledger[inside.blocked(event.ReasonUnspecified)] += max(0, call.Blocked-t.blocked)
	t.ledger[event.LedgerRunnable] += max(0, call.Runnable-t.runnable)
	return attribute(&t.ledger, call.End.Sub(call.Start), &stateCauses)
}
