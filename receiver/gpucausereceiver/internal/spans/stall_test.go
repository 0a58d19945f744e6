package spans

import (
	"cmp"
	"slices"
	"testing"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/gpucause/gpucause/internal/causality"
	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
	"github.com/gpucause/gpucause/internal/timeline"
)

func stall(tid event.TID, start ktime.Time) *causality.Stall {
	return &causality.Stall{
		Process: event.ProcessID{PID: 100, Start: 7},
		Cycle: event.Cycle{
			Task: event.Task{Thread: event.Thread{PID: 100, TID: tid}}, ID: 3, Start: start, End: start + 100,
			Ledger: event.Ledger{event.LedgerRunning: 100},
		},
	}
}

func TestStallIDsAreDeterministicAndTheirOwn(t *testing.T) {
	root := func(s *causality.Stall) ptrace.Span {
		batch := NewBuilder(Settings{HostID: "a"}).NewBatch(0)
		batch.AppendStall(s)
		return all(batch.Traces())[0]
	}
	first, again := root(stall(101, 5)), root(stall(101, 5))
	if first.TraceID() != again.TraceID() || first.SpanID() != again.SpanID() {
		t.Error("the same cycle has different ids")
	}
	call := NewBuilder(Settings{HostID: "a"}).NewBatch(0).Append(launch(101, 5))[0]
	if call.TraceID == first.TraceID() {
		t.Error("a cycle shares its trace with a call that began with it")
	}
}

func TestStallsLinkToThePreviousOneOfTheirThread(t *testing.T) {
	batch := NewBuilder(Settings{}).NewBatch(0)
	batch.AppendStall(stall(101, 5))
	batch.AppendStall(stall(102, 6))
	batch.AppendStall(stall(101, 500))
	spans := all(batch.Traces())
	if spans[0].Links().Len() != 0 || spans[1].Links().Len() != 0 || spans[2].Links().Len() != 1 {
		t.Fatal("wrong links")
	}
	if l := spans[2].Links().At(0); l.TraceID() != spans[0].TraceID() || l.SpanID() != spans[0].SpanID() {
		t.Error("the link leads elsewhere")
	}
}

func TestADispatchersCallHasNoTraceToLinkTo(t *testing.T) {
	wait := &causality.Interval{
		OffCPU: &event.OffCPU{Start: 10, Wake: 50, End: 50}, Start: 10, Wake: 50, End: 50, Reason: event.ReasonFutex,
	}
	waker := launch(102, 20).Root
	waker.InCycle = true
	wait.Children = []*causality.Interval{waker}
	s := stall(101, 5)
	s.Children = []*causality.Interval{wait}
	batch := NewBuilder(Settings{}).NewBatch(0)
	if calls := batch.AppendStall(s); len(calls) != 0 {
		t.Errorf("%d calls of the dispatcher", len(calls))
	}
	for _, span := range all(batch.Traces()) {
		if span.Links().Len() != 0 {
			t.Errorf("%s has a link", span.Name())
		}
	}
}

func TestRandomCycles(t *testing.T) {
	for seed := range uint64(10) {
		w := randomWorld(seed)
		w.cutIntoCycles()
		tl := timeline.New(timeline.Settings{MaxParts: 1 << 20, IntervalsPerThread: 1 << 20})
		for n := range w.records {
			tl.Add(&w.records[n])
		}
		judge := causality.NewJudge(causality.JudgeSettings{Mode: causality.ModeAll})
		batch := NewBuilder(Settings{HostID: "host"}).NewBatch(0)
		settings := causality.Settings{MaxCycleIntervals: 1 << 20}
		var calls, cycles int
		tl.Advance(1e12, timeline.Handler{
			Tree: func(*timeline.Tree) { t.Fatalf("seed %d: a call in no cycle", seed) },
			Cycle: func(c *timeline.Cycle) {
				cycles++
				calls += len(batch.AppendStall(causality.ExplainCycle(tl, c, judge.Judge(tl, c), settings)))
			},
		})
		if want := len(w.records) - offCPURecords(w) - cycles; calls != want {
			t.Fatalf("seed %d: %d calls became spans, want %d", seed, calls, want)
		}
		checkTraces(t, seed, batch.Traces())
	}
}

// cutIntoCycles adds the records of cycles that meet, without regard to calls,
// until after everything else.
func (w *world) cutIntoCycles() {
	last := w.records[len(w.records)-1]
	for _, task := range w.threads {
		id := uint64(0)
		for start := ktime.Time(0); start <= endOf(&last); {
			id++
			end := start + 5000*us + w.upTo(20_000*us)
			w.records = append(w.records, event.Record{Kind: event.KindCycle, Cycle: event.Cycle{
				Task: task, ID: id, Start: start, End: end,
				Ledger: event.Ledger{event.LedgerRunning: end.Sub(start)},
			}})
			start = end
		}
	}
	slices.SortStableFunc(w.records, func(a, b event.Record) int { return cmp.Compare(endOfAny(&a), endOfAny(&b)) })
}

func endOfAny(r *event.Record) ktime.Time { return max(r.Call.End, r.OffCPU.End, r.Cycle.End) }
