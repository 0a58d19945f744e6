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
	ledger   event.Ledger
	// slowLaunches is the time on a CPU of slow launches that were no first ones.
	slowLaunches time.Duration
	// copyWaits is the time blocked in copies that return when they are done.
	copyWaits time.Duration
}

// refineCycle returns the ledger of a cycle, refined by evidence inside it.
func refineCycle(c *timeline.Cycle, settings Settings) *refiner {
	r := &refiner{settings: settings, ledger: c.Record.Ledger}
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
	if n.class == probe.ClassLaunch && !n.first && n.innermost.Notable&event.NotableSlow != 0 {
		r.slowLaunches += onCPU
	}
}

func (r *refiner) offCPU(n nesting, o *event.OffCPU) {
	reason := r.settings.reason(o)
	woken := wake(o)
	r.move(n.blocked(o.Reason), n.blockedMeans(reason), woken.Sub(o.Start))
	if n.waiting && n.class == probe.ClassMemcpy {
		r.copyWaits += woken.Sub(o.Start)
	}
	r.move(event.LedgerRunnable, n.runnableMeans(reason), o.End.Sub(woken))
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
	t.ledger[n.runnableMeans(reason)] += o.End.Sub(woken)
	t.blocked += woken.Sub(o.Start)
	t.runnable += o.End.Sub(woken)
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
