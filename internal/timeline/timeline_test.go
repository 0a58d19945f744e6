package timeline

import (
	"testing"
	"time"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
)

const ms = ktime.Time(time.Millisecond)

var engine = event.Thread{PID: 100, TID: 101}

func call(thread event.Thread, id, parent uint64, start, end ktime.Time) *event.Record {
	return &event.Record{Kind: event.KindCall, Call: event.Call{
		Task: event.Task{Thread: thread}, ID: id, Parent: parent, Probe: 1, Start: start, End: end,
	}}
}

func offCPU(thread event.Thread, in uint64, start, end ktime.Time) *event.Record {
	return &event.Record{Kind: event.KindOffCPU, OffCPU: event.OffCPU{
		Task: event.Task{Thread: thread}, Call: in, Start: start, Wake: end, End: end, Reason: event.ReasonFutex,
	}}
}

func change(kind event.ProcessChangeKind, thread event.Thread, at, start ktime.Time) *event.Record {
	return &event.Record{Kind: event.KindProcess, Process: event.ProcessChange{
		Task: event.Task{Thread: thread}, Kind: kind, At: at, Start: start,
	}}
}

func add(tl *Timeline, records ...*event.Record) {
	for _, r := range records {
		tl.Add(r)
		*r = event.Record{} // the caller reuses its memory
	}
}

func advance(tl *Timeline, now ktime.Time) []*Tree {
	var trees []*Tree
	tl.Advance(now, Handler{Tree: func(t *Tree) { trees = append(trees, t) }})
	return trees
}

func TestTreeIsEmittedOnceSettled(t *testing.T) {
	tl := New(Settings{})
	add(tl,
		change(event.ProcessAdopted, engine, 1*ms, 7),
		offCPU(engine, 2, 12*ms, 14*ms),
		call(engine, 2, 1, 11*ms, 15*ms),
		offCPU(engine, 1, 16*ms, 17*ms),
		call(engine, 1, 0, 10*ms, 20*ms),
	)
	if early := advance(tl, 119*ms); len(early) != 0 {
		t.Fatalf("emitted %d trees before they settled", len(early))
	}
	trees := advance(tl, 120*ms)
	if len(trees) != 1 || len(advance(tl, 500*ms)) != 0 {
		t.Fatalf("emitted %d trees, want 1, once", len(trees))
	}
	tree := trees[0]
	if tree.Process != (event.ProcessID{PID: 100, Start: 7}) || tree.Orphan || tree.Thread() != engine {
		t.Errorf("tree of %+v, orphan %v", tree.Process, tree.Orphan)
	}
	root := tree.Root
	if len(root.Children) != 1 || len(root.OffCPU) != 1 || len(root.Children[0].OffCPU) != 1 || root.Missing != 0 {
		t.Errorf("root %+v", root)
	}
}

func TestTreesComeInOrderOfTheirEnds(t *testing.T) {
	tl := New(Settings{})
	other := event.Thread{PID: 90, TID: 91}
	add(tl, call(engine, 1, 0, 10*ms, 20*ms), call(other, 1, 0, 11*ms, 19*ms), call(other, 2, 0, 19*ms, 20*ms))
	trees := advance(tl, 1000*ms)
	if len(trees) != 3 || trees[0].Root.Call.End != 19*ms || trees[1].Thread() != other || trees[2].Thread() != engine {
		t.Errorf("%d trees in the wrong order", len(trees))
	}
}

func TestOrphansAreReleasedAfterABound(t *testing.T) {
	tl := New(Settings{OrphanAfter: time.Second})
	add(tl, offCPU(engine, 3, 12*ms, 14*ms), call(engine, 2, 1, 11*ms, 15*ms), offCPU(engine, 1, 16*ms, 17*ms))
	advance(tl, 900*ms) // too early
	trees := advance(tl, 2000*ms)
	if len(trees) != 1 || !trees[0].Orphan || trees[0].Root.Missing != 1 {
		t.Fatalf("trees %v", trees)
	}
	if s := tl.Stats(); s.OrphanTrees != 1 || s.OrphanOffCPU != 1 || s.Reattached != 1 {
		t.Errorf("stats %+v", s)
	}
	if waiting := len(tl.processes[100].threads[101].waiting); waiting != 0 {
		t.Errorf("%d records still wait", waiting)
	}
}

func TestTheEndOfTimeEmptiesIt(t *testing.T) {
	tl := New(Settings{})
	add(tl, call(engine, 2, 1, 11*ms, 15*ms), call(event.Thread{PID: 1, TID: 1}, 1, 0, 1*ms, 2*ms))
	trees := advance(tl, farFuture)
	if s := tl.Stats(); len(trees) != 2 || s.Pending != 0 || s.Intervals != 0 || s.Trees != 2 {
		t.Errorf("%d trees, left over: %+v", len(trees), s)
	}
}

func TestExitReleasesAndReusedIDsDoNotMix(t *testing.T) {
	tl := New(Settings{})
	add(tl,
		call(engine, 2, 1, 11*ms, 15*ms),
		change(event.ThreadExited, engine, 16*ms, 0),
		call(engine, 1, 0, 10*ms, 20*ms), // the next thread's, whose ids begin again
	)
	trees := advance(tl, 1000*ms)
	if len(trees) != 2 || !trees[0].Orphan || len(trees[1].Root.Children) != 0 {
		t.Errorf("trees %+v", trees)
	}
}

func TestExecReleases(t *testing.T) {
	tl := New(Settings{})
	add(tl, call(engine, 2, 1, 11*ms, 15*ms), change(event.ProcessExecuted, engine, 16*ms, 0))
	if trees := advance(tl, 1000*ms); len(trees) != 1 || !trees[0].Orphan {
		t.Errorf("trees %+v", trees)
	}
}

func TestTreeSizeIsBounded(t *testing.T) {
	tl := New(Settings{MaxParts: 4})
	for n := ktime.Time(0); n < 10; n++ {
		add(tl, offCPU(engine, 1, (10+n)*ms, (10+n)*ms+1))
	}
	add(tl, call(engine, 2, 1, 30*ms, 31*ms), call(engine, 1, 0, 10*ms, 40*ms))
	trees := advance(tl, 1000*ms)
	if len(trees) != 2 || !trees[0].Orphan || len(trees[1].Root.OffCPU) != 4 {
		t.Errorf("%d trees", len(trees))
	}
	if s := tl.Stats(); s.PartsDropped != 6 || s.OrphanTrees != 1 {
		t.Errorf("stats %+v", s)
	}
}

func TestPendingTreesAreBounded(t *testing.T) {
	tl := New(Settings{MaxPending: 3})
	for n := range uint64(10) {
		at := 10*ms + ktime.Time(n)
		add(tl, call(engine, n+1, 0, at, at))
	}
	if s := tl.Stats(); s.Pending != 3 || s.PendingDropped != 7 {
		t.Errorf("stats %+v", s)
	}
	if trees := advance(tl, 1000*ms); len(trees) != 3 || tl.Stats().Pending != 0 {
		t.Errorf("%d trees", len(trees))
	}
}

func TestHistoryIsBounded(t *testing.T) {
	tl := New(Settings{IntervalsPerThread: 5, MaxIntervals: 7})
	other := event.Thread{PID: 100, TID: 102}
	for n := ktime.Time(1); n <= 20; n++ {
		add(tl, offCPU(engine, 0, n*ms, n*ms+1), offCPU(other, 0, n*ms, n*ms+1))
	}
	s := tl.Stats()
	if s.Intervals > 7 || s.Evicted != uint64(40-s.Intervals) {
		t.Errorf("stats %+v", s)
	}
	latest := tl.Intervals(nil, other, 0, 100*ms)
	if len(latest) == 0 || latest[len(latest)-1].Start() != 20*ms {
		t.Errorf("the latest interval is gone: %v", latest)
	}
	if c := tl.Coverage(engine, 2*ms, 21*ms); c != PartlyTraced {
		t.Errorf("coverage %v of a history that forgot", c)
	}
}

func TestThreadsAreBoundedAndReclaimed(t *testing.T) {
	tl := New(Settings{MaxThreads: 4})
	for n := range 100 {
		thread := event.Thread{PID: 100, TID: event.TID(n)}
		add(tl, call(thread, 1, 0, 10*ms, 11*ms), change(event.ThreadExited, thread, 11*ms, 0))
	}
	if s := tl.Stats(); s.Threads != 4 || s.Refused != 96 {
		t.Errorf("stats %+v", s)
	}
	if c := tl.Coverage(event.Thread{PID: 100, TID: 50}, 10*ms, 11*ms); c != PartlyTraced {
		t.Errorf("coverage %v of a refused thread", c)
	}
	late := event.Thread{PID: 100, TID: 999}
	add(tl, call(late, 1, 0, 500*ms, 510*ms))
	if s := tl.Stats(); s.Threads != 1 || s.Refused != 96 {
		t.Errorf("exited threads were not reclaimed for a new one: %+v", s)
	}
}

func TestNothingIsLeftOfShortLivedProcesses(t *testing.T) {
	tl := New(Settings{MaxThreads: 2000})
	for n := range 1000 {
		thread := event.Thread{PID: event.PID(1000 + n), TID: event.TID(1000 + n)}
		add(tl, change(event.ProcessAdopted, thread, 10*ms, ktime.Time(n+1)),
			offCPU(thread, 1, 10*ms, 11*ms), call(thread, 1, 0, 10*ms, 12*ms), change(event.ProcessExited, thread, 13*ms, 0))
	}
	if trees := advance(tl, 1000*ms); len(trees) != 1000 {
		t.Fatalf("%d trees", len(trees))
	}
	advance(tl, 60_000*ms)
	if s := tl.Stats(); s.Threads != 0 || s.Processes != 0 || s.Intervals != 0 || s.Pending != 0 {
		t.Errorf("left over: %+v", s)
	}
}

func TestCoverage(t *testing.T) {
	tl := New(Settings{})
	tl.Follow(event.ProcessID{PID: 100, Start: 7}, 50*ms)
	for _, c := range []struct {
		from, to ktime.Time
		want     Coverage
	}{
		{10, 40, NotTraced}, {40, 60, PartlyTraced}, {60, 70, Traced},
	} {
		if got := tl.Coverage(engine, c.from*ms, c.to*ms); got != c.want {
			t.Errorf("coverage of %d..%d is %v, want %v", c.from, c.to, got, c.want)
		}
	}
	add(tl, change(event.ProcessExited, engine, 80*ms, 0))
	tl.Follow(event.ProcessID{PID: 100, Start: 9}, 90*ms)
	for _, c := range []struct {
		from, to ktime.Time
		want     Coverage
	}{
		{60, 70, Traced}, {60, 85, PartlyTraced}, {82, 88, NotTraced}, {95, 99, Traced},
	} {
		if got := tl.Coverage(engine, c.from*ms, c.to*ms); got != c.want {
			t.Errorf("after reuse: coverage of %d..%d is %v, want %v", c.from, c.to, got, c.want)
		}
	}
	add(tl, change(event.ThreadAdopted, engine, 100*ms, 0))
	for _, c := range []struct {
		from, to ktime.Time
		want     Coverage
	}{
		{95, 99, PartlyTraced}, {95, 110, PartlyTraced}, {101, 110, Traced},
	} {
		if got := tl.Coverage(engine, c.from*ms, c.to*ms); got != c.want {
			t.Errorf("adopted late: coverage of %d..%d is %v, want %v", c.from, c.to, got, c.want)
		}
	}
	if got := tl.Coverage(event.Thread{PID: 5, TID: 5}, 0, 1); got != NotTraced {
		t.Errorf("coverage of an unknown process is %v", got)
	}
}

func TestMalformedRecordsAreCounted(t *testing.T) {
	tl := New(Settings{})
	add(tl, call(engine, 1, 0, 20*ms, 10*ms), offCPU(engine, 1, 20*ms, 10*ms), &event.Record{})
	if s := tl.Stats(); s.Malformed != 2 || s.Threads != 0 {
		t.Errorf("stats %+v", s)
	}
}

func TestIntervalsOfAWindow(t *testing.T) {
	tl := New(Settings{})
	add(tl,
		offCPU(engine, 2, 12*ms, 14*ms),
		call(engine, 2, 1, 10*ms, 15*ms),
		call(engine, 1, 0, 10*ms, 20*ms),
		offCPU(engine, 0, 20*ms, 30*ms),
		call(engine, 3, 0, 31*ms, 32*ms),
	)
	got := tl.Intervals(nil, engine, 14*ms, 31*ms)
	if len(got) != 3 || got[0].Call.ID != 1 || got[1].Call.ID != 2 || got[2].OffCPU == nil {
		t.Errorf("intervals %+v", got)
	}
}

func BenchmarkAdd(b *testing.B) {
	tl := New(Settings{})
	wait, launch := offCPU(engine, 1, 0, 0), call(engine, 1, 0, 0, 0)
	now := ms
	b.ReportAllocs()
	for b.Loop() {
		now += ms
		wait.OffCPU.Start, wait.OffCPU.Wake, wait.OffCPU.End = now+1, now+2, now+3
		launch.Call.Start, launch.Call.End = now, now+4
		tl.Add(wait)
		tl.Add(launch)
		tl.Advance(now, Handler{})
	}
}
