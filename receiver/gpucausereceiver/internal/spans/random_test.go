package spans

import (
	"cmp"
	"math/rand/v2"
	"slices"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
)

const us = ktime.Time(1000)

// world is a random machine: a few threads of two processes, each with nested
// calls and off-CPU intervals, waking each other at random.
type world struct {
	random  *rand.Rand
	threads []event.Task
	records []event.Record
	ids     map[event.Thread]uint64
}

func randomWorld(seed uint64) *world {
	w := &world{random: rand.New(rand.NewPCG(seed, 1)), ids: make(map[event.Thread]uint64)}
	for n := range 4 {
		w.threads = append(w.threads, event.Task{
			Thread: event.Thread{PID: event.PID(100 + n%2), TID: event.TID(1000 + n)},
			Comm:   event.MakeComm("thread"),
		})
	}
	for _, task := range w.threads {
		w.fill(task, 0, 0, 1000*us, 100_000*us)
	}
	slices.SortStableFunc(w.records, func(a, b event.Record) int { return cmp.Compare(endOf(&a), endOf(&b)) })
	return w
}

func endOf(r *event.Record) ktime.Time {
	if r.Kind == event.KindCall {
		return r.Call.End
	}
	return r.OffCPU.End
}

// fill puts intervals one after the other into [from, to), inside call parent,
// and returns the off-CPU intervals among and in them.
func (w *world) fill(task event.Task, depth int, parent uint64, from, to ktime.Time) []event.OffCPU {
	var inside []event.OffCPU
	for at := from; to-at > 20; {
		start := at + 1 + w.upTo((to-at)/4)
		end := start + 1 + w.upTo((to-start)/2)
		if w.random.IntN(2) == 0 || depth == 4 {
			inside = append(inside, w.offCPU(task, parent, start, end))
		} else {
			inside = append(inside, w.call(task, depth, parent, start, end)...)
		}
		at = end + 1
		if w.random.IntN(6) == 0 {
			break
		}
	}
	return inside
}

func (w *world) upTo(n ktime.Time) ktime.Time { return ktime.Time(w.random.Int64N(max(int64(n), 1))) }

func (w *world) offCPU(task event.Task, in uint64, start, end ktime.Time) event.OffCPU {
	o := event.OffCPU{
		Task: task, Call: in, Start: start, Wake: start + w.upTo(end-start+1), End: end, Syscall: event.NoSyscall,
		Reason:       event.OffCPUReason(w.random.IntN(int(event.Reasons))),
		Waker:        w.threads[w.random.IntN(len(w.threads))],
		WakerContext: event.WakerContext(w.random.IntN(4)),
	}
	if o.Reason.Runnable() {
		o.Wake = start
	}
	w.records = append(w.records, event.Record{Kind: event.KindOffCPU, OffCPU: o})
	return o
}

func (w *world) call(task event.Task, depth int, parent uint64, start, end ktime.Time) []event.OffCPU {
	w.ids[task.Thread]++
	call := event.Call{Task: task, ID: w.ids[task.Thread], Parent: parent, Probe: 1, Start: start, End: end}
	inside := w.fill(task, depth+1, call.ID, start, end)
	for _, o := range inside {
		call.Blocked += o.Wake.Sub(o.Start)
		call.Runnable += o.End.Sub(o.Wake)
		call.Switches++
	}
	w.records = append(w.records, event.Record{Kind: event.KindCall, Call: call})
	return inside
}
