package timeline

import (
	"testing"
	"time"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
)

func cycle(thread event.Thread, id uint64, start, end ktime.Time) *event.Record {
	return &event.Record{Kind: event.KindCycle, Cycle: event.Cycle{
		Task: event.Task{Thread: thread}, ID: id, Start: start, End: end,
	}}
}

// settled is what Advance has handed over.
type settled struct {
	trees  []*Tree
	cycles []*Cycle
}

func settle(tl *Timeline, now ktime.Time) settled {
	var s settled
	tl.Advance(now, Handler{
		Tree:  func(t *Tree) { s.trees = append(s.trees, t) },
		Cycle: func(c *Cycle) { s.cycles = append(s.cycles, c) },
	})
	return s
}

func TestACycleHasWhatEndedInIt(t *testing.T) {
	tl := New(Settings{})
	add(tl,
		change(event.ProcessAdopted, engine, 1*ms, 7),
		cycle(engine, 1, 1*ms, 10*ms),
		call(engine, 1, 0, 11*ms, 12*ms),
		offCPU(engine, 0, 13*ms, 15*ms),
		offCPU(engine, 2, 16*ms, 18*ms),
		call(engine, 2, 0, 16*ms, 20*ms),
		cycle(engine, 2, 10*ms, 20*ms),
		call(engine, 3, 0, 20*ms, 21*ms),
	)
	if early := settle(tl, 119*ms); len(early.cycles) != 1 || len(early.trees) != 0 {
		t.Fatalf("settled early: %+v", early)
	}
	s := settle(tl, 120*ms)
	if len(s.cycles) != 1 || len(s.trees) != 0 {
		t.Fatalf("settled: %+v", s)
	}
	c := s.cycles[0]
	if c.Record.ID != 2 || c.Process != (event.ProcessID{PID: 100, Start: 7}) || c.Incomplete || c.Thread() != engine {
		t.Errorf("cycle %+v", c)
	}
	if len(c.Trees) != 2 || c.Trees[0].Root.Call.ID != 1 || len(c.Trees[1].Root.OffCPU) != 1 {
		t.Errorf("trees %+v", c.Trees)
	}
	if len(c.OffCPU) != 1 || c.OffCPU[0].Start != 13*ms {
		t.Errorf("intervals outside of calls: %+v", c.OffCPU)
	}
}

func TestTheFirstCycleCollectsWhatHasNotSettled(t *testing.T) {
	tl := New(Settings{})
	add(tl, call(engine, 1, 0, 1*ms, 10*ms))
	if s := settle(tl, 150*ms); len(s.trees) != 1 {
		t.Fatalf("%d trees of a thread without cycles", len(s.trees))
	}
	other := event.Thread{PID: 100, TID: 109}
	add(tl, call(engine, 2, 0, 140*ms, 150*ms), call(other, 1, 0, 140*ms, 151*ms),
		offCPU(engine, 0, 160*ms, 170*ms), cycle(engine, 1, 0, 180*ms))
	s := settle(tl, 1000*ms)
	if len(s.cycles) != 1 || len(s.trees) != 1 || s.trees[0].Thread() != other {
		t.Fatalf("settled: %+v", s)
	}
	if c := s.cycles[0]; len(c.Trees) != 1 || len(c.OffCPU) != 1 || !c.Incomplete {
		t.Errorf("cycle %+v", c)
	}
	if !tl.Dispatches(engine) || tl.Dispatches(other) {
		t.Error("the wrong thread dispatches")
	}
}

func TestCallsInNoCycleAreDiscarded(t *testing.T) {
	tl := New(Settings{})
	add(tl, cycle(engine, 1, 1*ms, 10*ms),
		call(engine, 1, 0, 11*ms, 12*ms), offCPU(engine, 0, 12*ms, 13*ms), // in a cycle too short for a record
		call(engine, 2, 0, 20*ms, 40*ms), cycle(engine, 3, 15*ms, 40*ms))
	s := settle(tl, 1000*ms)
	if len(s.cycles) != 2 || len(s.trees) != 0 || len(s.cycles[1].Trees) != 1 || len(s.cycles[1].OffCPU) != 0 {
		t.Fatalf("settled: %+v", s)
	}
	if stats := tl.Stats(); stats.TreesDiscarded != 1 || stats.Held != 0 || stats.Cycles != 2 {
		t.Errorf("stats %+v", stats)
	}
}

func TestCallsOfShortCyclesGoAfterABound(t *testing.T) {
	tl := New(Settings{OrphanAfter: time.Second})
	add(tl, cycle(engine, 1, 1*ms, 10*ms), call(engine, 1, 0, 11*ms, 12*ms))
	settle(tl, 5000*ms) // nothing has been heard of the thread since: it may wait, in that cycle
	if held := tl.Stats().Held; held != 1 {
		t.Fatalf("%d trees are held", held)
	}
	add(tl, call(engine, 2, 0, 5000*ms, 5001*ms))
	settle(tl, 6000*ms)
	if s := tl.Stats(); s.Held != 1 || s.TreesDiscarded != 1 {
		t.Errorf("stats %+v", s)
	}
	add(tl, cycle(engine, 2, 10*ms, 5002*ms))
	if s := settle(tl, 7000*ms); len(s.cycles) != 1 || !s.cycles[0].Incomplete || len(s.cycles[0].Trees) != 1 {
		t.Errorf("settled: %+v", s)
	}
}

func TestCyclesAreBounded(t *testing.T) {
	tl := New(Settings{MaxCycleTrees: 4, MaxCycleOffCPU: 3, MaxPending: 6})
	other := event.Thread{PID: 100, TID: 109}
	add(tl, cycle(engine, 1, 1*ms, 10*ms), cycle(other, 1, 1*ms, 10*ms))
	for n := range ktime.Time(10) {
		at := (10 + n) * ms
		add(tl, call(engine, uint64(n)+1, 0, at, at+1), call(other, uint64(n)+1, 0, at, at+1), offCPU(engine, 0, at+2, at+3))
	}
	if s := tl.Stats(); s.Held > 6 || s.TreesDropped != uint64(20-s.Held) || s.OffCPUDropped != 7 {
		t.Errorf("stats %+v", s)
	}
	add(tl, cycle(engine, 2, 10*ms, 30*ms), cycle(other, 2, 10*ms, 30*ms))
	s := settle(tl, 1000*ms)
	latest := s.cycles[2]
	if n := len(latest.Trees); n == 0 || n > 4 || latest.Trees[n-1].Root.Call.ID != 10 || !latest.Incomplete || len(latest.OffCPU) != 3 {
		t.Errorf("cycle %+v", latest)
	}
	if held := tl.Stats().Held; held != 0 {
		t.Errorf("%d trees are still held", held)
	}
}

func TestIntervalsOfAllThreadsAreBounded(t *testing.T) {
	tl := New(Settings{MaxHeldOffCPU: 5})
	other := event.Thread{PID: 100, TID: 109}
	add(tl, cycle(engine, 1, 1*ms, 10*ms), cycle(other, 1, 1*ms, 10*ms))
	for n := range ktime.Time(4) {
		add(tl, offCPU(engine, 0, (10+n)*ms, (10+n)*ms+1), offCPU(other, 0, (10+n)*ms, (10+n)*ms+1))
	}
	add(tl, cycle(engine, 2, 10*ms, 30*ms), cycle(other, 2, 10*ms, 30*ms))
	s := settle(tl, 1000*ms)
	if n := len(s.cycles[2].OffCPU) + len(s.cycles[3].OffCPU); n != 5 || tl.Stats().OffCPUDropped != 3 || tl.heldWaits != 0 {
		t.Errorf("%d intervals in cycles, %d still held, stats %+v", n, tl.heldWaits, tl.Stats())
	}
}

func TestAThreadsLastCycle(t *testing.T) {
	for name, records := range map[string][]*event.Record{
		"before its exit": {cycle(engine, 2, 10*ms, 30*ms), change(event.ThreadExited, engine, 31*ms, 0)},
		"after its exit":  {change(event.ThreadExited, engine, 30*ms, 0), cycle(engine, 2, 10*ms, 30*ms)},
	} {
		tl := New(Settings{})
		add(tl, cycle(engine, 1, 1*ms, 10*ms), call(engine, 1, 0, 11*ms, 12*ms))
		add(tl, records...)
		if s := settle(tl, 500*ms); len(s.cycles) != 2 || len(s.cycles[1].Trees) != 1 || len(s.trees) != 0 {
			t.Errorf("%s: settled %+v", name, s)
		}
	}
}

func TestTheNextUserOfATIDHasNoCyclesYet(t *testing.T) {
	tl := New(Settings{})
	add(tl, cycle(engine, 1, 1*ms, 10*ms), call(engine, 1, 0, 11*ms, 12*ms), change(event.ThreadExited, engine, 13*ms, 0),
		call(engine, 1, 0, 20*ms, 21*ms))
	if s := settle(tl, 500*ms); len(s.cycles) != 1 || len(s.trees) != 1 || s.trees[0].Root.Call.Start != 20*ms {
		t.Errorf("settled %+v", s)
	}
}

func TestTheEndOfTimeEmptiesHeldTreesToo(t *testing.T) {
	tl := New(Settings{})
	add(tl, cycle(engine, 1, 1*ms, 10*ms), call(engine, 1, 0, 11*ms, 12*ms), offCPU(engine, 0, 13*ms, 14*ms))
	settle(tl, farFuture)
	if s := tl.Stats(); s.Held != 0 || s.TreesDiscarded != 1 || s.Pending != 0 {
		t.Errorf("left over: %+v", s)
	}
}

func TestMalformedCyclesAreCounted(t *testing.T) {
	tl := New(Settings{})
	add(tl, cycle(engine, 1, 20*ms, 10*ms))
	if s := tl.Stats(); s.Malformed != 1 {
		t.Errorf("stats %+v", s)
	}
}

func BenchmarkAddToCycle(b *testing.B) {
	tl := New(Settings{})
	add(tl, cycle(engine, 1, 0, 1))
	launch, end := call(engine, 1, 0, 0, 0), cycle(engine, 2, 0, 0)
	now := ms
	b.ReportAllocs()
	for b.Loop() {
		start := now
		for range 50 {
			now += ms / 10
			launch.Call.Start, launch.Call.End = now, now+4
			tl.Add(launch)
		}
		end.Cycle.Start, end.Cycle.End = start, now+4
		tl.Add(end)
		tl.Advance(now, Handler{})
	}
}
