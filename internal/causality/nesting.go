package causality

import (
	"time"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/probe"
	"github.com/gpucause/gpucause/internal/timeline"
)

// nesting is what encloses an instant on its thread.
type nesting struct {
	innermost *event.Call // nil outside of calls
	class     probe.Class // of innermost
	waiting   bool        // a call whose job is to wait is open
	gathering bool        // it waits for a collective
	first     bool        // the first launch of a function is open
}

func (n nesting) enter(call *event.Call) nesting {
	n.innermost, n.class = call, probe.ClassOther
	if p := probe.Get(call.Probe); p != nil {
		n.class = p.Class
		n.waiting = n.waiting || p.Waits()
	}
	n.gathering = n.waiting && (n.gathering || call.Notable&event.NotableCollective != 0)
	n.first = n.first || call.Notable&event.NotableFirstLaunch != 0
	return n
}

// onCPU is the state of a thread on a CPU, as the ledger of the Linux kernel
// side has it.
func (n nesting) onCPU() event.LedgerState {
	if n.innermost == nil {
		return event.LedgerRunning
	}
	if state := event.CallState(n.class); state != event.LedgerSyncSpin || !n.gathering {
		return state
	}
	return event.LedgerCollectiveWait
}

// onCPUMeans is onCPU, refined: what a first launch does is loading.
func (n nesting) onCPUMeans() event.LedgerState {
	state := n.onCPU()
	if n.first && (state == event.LedgerLaunch || state == event.LedgerOtherCall) {
		return event.LedgerModuleLoad
	}
	return state
}

// blocked is the state of a thread that is blocked for reason, as the ledger of
// the Linux kernel side has it for the reasons that it knows.
func (n nesting) blocked(reason event.OffCPUReason) event.LedgerState {
	switch {
	case n.gathering:
		return event.LedgerCollectiveWait
	case n.waiting:
		return event.LedgerGPUWait
	default:
		return event.BlockedState(reason)
	}
}

// blockedMeans is blocked, refined: the driver works for the call that called
// it, and a call that sleeps does so to do its job.
func (n nesting) blockedMeans(reason event.OffCPUReason) event.LedgerState {
	state := n.blocked(reason)
	switch {
	case n.innermost == nil:
		return state
	case state == event.LedgerSleep:
		return n.onCPUMeans()
	case state == event.LedgerLock && n.frees():
		return event.LedgerMemory
	case state != event.LedgerDriver:
		return state
	case n.first || n.class == probe.ClassModuleLoad:
		return event.LedgerModuleLoad
	case n.class == probe.ClassMemory:
		return event.LedgerMemory
	default:
		return state
	}
}

// frees reports whether memory is being freed: that waits for the GPU, on whatever
// the driver likes, before it frees.
func (n nesting) frees() bool {
	p := probe.Get(n.innermost.Probe)
	return p != nil && p.Class == probe.ClassMemory && p.FreesSlot != probe.NoSlot
}

// yields reports whether a thread gave its CPU away to do a call's job: the ledger
// and the call count the time as their own.
func (n nesting) yields(reason event.OffCPUReason) bool {
	return reason == event.ReasonYield && n.innermost != nil
}

// copyWaitMeans is what a slow copy does that does not copy: one that returns when
// it is done waits for the GPU; why another one takes long is not known.
func (n nesting) copyWaitMeans() event.LedgerState {
	switch {
	case n.gathering:
		return event.LedgerCollectiveWait
	case n.waiting:
		return event.LedgerSyncSpin
	default:
		return event.LedgerOtherCall
	}
}

// visitor is shown everything that was recorded in a tree.
type visitor interface {
	// call is shown with its own time on a CPU: without that of its nested calls.
	call(n nesting, onCPU time.Duration)
	offCPU(n nesting, o *event.OffCPU)
}

// walk shows node and what is in it, enclosed in n, to v.
func walk(v visitor, n nesting, node *timeline.Node) {
	n = n.enter(node.Call)
	own := onCPUTime(node.Call)
	for _, child := range node.Children {
		own -= onCPUTime(child.Call)
		walk(v, n, child)
	}
	v.call(n, max(own, 0))
	for _, o := range node.OffCPU {
		v.offCPU(n, o)
	}
}

func onCPUTime(call *event.Call) time.Duration {
	return max(0, call.End.Sub(call.Start)-call.Blocked-call.Runnable)
}
