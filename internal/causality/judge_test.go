package causality_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gpucause/gpucause/internal/causality"
	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
	"github.com/gpucause/gpucause/internal/timeline"
)

const ms = time.Millisecond

// cycles makes one thread's cycles, one after the other.
type cycles struct {
	tid event.TID
	id  uint64
	at  ktime.Time
}

// next returns a cycle whose states sum to its length: what ledger leaves is running.
func (c *cycles) next(length time.Duration, ledger event.Ledger) *timeline.Cycle {
	c.id++
	record := event.Cycle{
		Task: event.Task{Thread: event.Thread{PID: 100, TID: c.tid}}, ID: c.id,
		Start: c.at, End: c.at.Add(length), Ledger: ledger, Launches: 40,
	}
	record.Ledger[event.LedgerRunning] += length - ledger.Total()
	c.at = record.End
	return &timeline.Cycle{Process: event.ProcessID{PID: 100}, Record: record}
}

func TestNoiseIsNoStall(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	judge := causality.NewJudge(causality.JudgeSettings{Baseline: -1})
	thread := cycles{tid: 101, at: 1}
	for n := range 3000 {
		length := 20*ms + time.Duration(random.NormFloat64()*float64(2*ms))
		c := thread.next(length, event.Ledger{event.LedgerGPUWait: length / 2})
		if v := judge.Judge(nil, c); v.Kind != causality.KindNone {
			t.Fatalf("cycle %d of %s is a %s, typically %s", n, length, v.Kind, v.Typical)
		}
	}
}

func TestANewLevelBecomesTypical(t *testing.T) {
	judge := causality.NewJudge(causality.JudgeSettings{Baseline: -1})
	thread := cycles{tid: 101, at: 1}
	stalls := 0
	for n := range 1000 {
		length := 20 * ms
		if n >= 500 {
			length = 40 * ms
		}
		if judge.Judge(nil, thread.next(length, event.Ledger{})).Kind == causality.KindStall {
			stalls++
		}
	}
	if stalls == 0 || stalls > 33 {
		t.Errorf("%d stalls until the new level was typical", stalls)
	}
}

func TestVerdictsAreConsistent(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	judge := causality.NewJudge(causality.JudgeSettings{Mode: causality.ModeAll})
	again := causality.NewJudge(causality.JudgeSettings{Mode: causality.ModeAll})
	thread := cycles{tid: 101, at: 1}
	for range 2000 {
		var ledger event.Ledger
		for state := range ledger {
			ledger[state] = time.Duration(random.ExpFloat64() * float64(ms))
		}
		ledger[random.IntN(len(ledger))] += time.Duration(random.Int64N(int64(60 * ms)))
		c := thread.next(ledger.Total(), ledger)
		v := judge.Judge(nil, c)
		if v != again.Judge(nil, c) {
			t.Fatal("the same cycles have different verdicts")
		}
		if v.Ledger.Total() != c.Record.Ledger.Total() {
			t.Fatalf("a refined ledger of %s, want %s", v.Ledger.Total(), c.Record.Ledger.Total())
		}
		if v.Explained < 0 || v.Explained > 1 || (v.Kind == causality.KindStall) != (v.Cause != causality.CauseNone) {
			t.Fatalf("verdict %+v", v)
		}
		if v.Cause > causality.CauseUnknown && v.Explained < 0.5 || v.Cause == causality.CauseUnknown && v.Explained >= 0.5 {
			t.Fatalf("%s explains %.2f", v.Cause, v.Explained)
		}
	}
}

func TestThreadsAreJudgedBySelf(t *testing.T) {
	judge := causality.NewJudge(causality.JudgeSettings{Baseline: -1})
	fast, slow := cycles{tid: 101, at: 1}, cycles{tid: 102, at: 1}
	for range 50 {
		if v := judge.Judge(nil, fast.next(3*ms, event.Ledger{})); v.Kind != causality.KindNone {
			t.Fatalf("fast: %s", v.Kind)
		}
		if v := judge.Judge(nil, slow.next(50*ms, event.Ledger{})); v.Kind != causality.KindNone {
			t.Fatalf("slow: %s", v.Kind)
		}
	}
}

func TestTheNextThreadWithATIDIsWarmedUpAnew(t *testing.T) {
	judge := causality.NewJudge(causality.JudgeSettings{Baseline: -1})
	thread := cycles{tid: 101, at: 1}
	for range 50 {
		judge.Judge(nil, thread.next(3*ms, event.Ledger{}))
	}
	next := cycles{tid: 101, at: thread.at}
	if v := judge.Judge(nil, next.next(50*ms, event.Ledger{})); v.Kind != causality.KindNone || v.Typical != 0 {
		t.Errorf("judged by the cycles of the thread before: %s, typically %s", v.Kind, v.Typical)
	}
}

func TestJudgedThreadsAreBounded(t *testing.T) {
	judge := causality.NewJudge(causality.JudgeSettings{MaxThreads: 3, Baseline: -1})
	var at ktime.Time
	for n := range 10 {
		thread := cycles{tid: event.TID(n), at: at}
		judge.Judge(nil, thread.next(5*ms, event.Ledger{}))
		at = thread.at
	}
	if n := judge.Threads(); n != 3 {
		t.Errorf("%d threads are remembered", n)
	}
	judge.Forget(100)
	if n := judge.Threads(); n != 0 {
		t.Errorf("%d threads are remembered of a process that is gone", n)
	}
}

func TestBaselineComesAtItsTimes(t *testing.T) {
	judge := causality.NewJudge(causality.JudgeSettings{Baseline: time.Second, WarmUp: 5})
	thread := cycles{tid: 101, at: 1}
	var shown []int
	for n := range 250 {
		if judge.Judge(nil, thread.next(10*ms, event.Ledger{})).Kind == causality.KindBaseline {
			shown = append(shown, n)
		}
	}
	if len(shown) != 3 || shown[0] != 5 || shown[1] != 105 || shown[2] != 205 {
		t.Errorf("shown: %v", shown)
	}
}

func TestEveryNameIsOneOfItsOwn(t *testing.T) {
	seen := map[string]bool{}
	for c := range causality.Causes {
		if seen[c.String()] || c.String() == "" {
			t.Errorf("cause %d is called %q", c, c)
		}
		seen[c.String()] = true
	}
}

func BenchmarkJudge(b *testing.B) {
	judge := causality.NewJudge(causality.JudgeSettings{})
	thread := cycles{tid: 101, at: 1}
	b.ReportAllocs()
	for b.Loop() {
		judge.Judge(nil, thread.next(9*ms, event.Ledger{event.LedgerGPUWait: 5 * ms}))
	}
}
