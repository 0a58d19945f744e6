package spans

import (
	"cmp"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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

// waiting is a stall that waited for what thread 102 did meanwhile.
func waiting(start ktime.Time, meanwhile ...*causality.Interval) *causality.Stall {
	s := stall(101, start)
	from, to := start+5, start+45
	s.Children = []*causality.Interval{{
		Process: s.Process, Children: meanwhile,
		OffCPU: &event.OffCPU{Start: from, Wake: to, End: to}, Start: from, Wake: to, End: to, Reason: event.ReasonFutex,
	}}
	return s
}

// inCycle is a call of thread 102, which has dispatch cycles.
func inCycle(start ktime.Time) *causality.Interval {
	waker := launch(102, start).Root
	waker.InCycle = true
	return waker
}

func TestADispatchersCallHasNoTraceToLinkTo(t *testing.T) {
	batch := NewBuilder(Settings{}).NewBatch(0)
	if calls := batch.AppendStall(waiting(5, inCycle(20))); len(calls) != 0 {
		t.Errorf("%d calls of the dispatcher", len(calls))
	}
	for _, span := range all(batch.Traces()) {
		if span.Links().Len() != 0 {
			t.Errorf("%s has a link", span.Name())
		}
	}
}

func TestAWaitLinksToTheWakersCycleThatHasATrace(t *testing.T) {
	offCPU := &causality.Interval{
		Process: event.ProcessID{PID: 100, Start: 7}, Start: 510, Wake: 520, End: 520,
		OffCPU: &event.OffCPU{Task: launch(102, 0).Root.Call.Task, Start: 400, Wake: 520, End: 520},
	}
	for name, test := range map[string]struct {
		meanwhile []*causality.Interval
		linked    bool
	}{
		"a call in it":       {[]*causality.Interval{inCycle(520)}, true},
		"a wait in it":       {[]*causality.Interval{offCPU}, true},
		"the second in it":   {[]*causality.Interval{inCycle(480), inCycle(520)}, true},
		"before it":          {[]*causality.Interval{inCycle(480)}, false},
		"ended as it began":  {[]*causality.Interval{inCycle(490)}, false},
		"ended when it did":  {[]*causality.Interval{inCycle(590)}, true},
		"after it":           {[]*causality.Interval{inCycle(600)}, false},
		"nothing was told":   {nil, false},
		"of another process": {[]*causality.Interval{{Process: event.ProcessID{PID: 100, Start: 8}, Call: inCycle(520).Call, InCycle: true}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			builder := NewBuilder(Settings{HostID: "a"})
			wakers := builder.NewBatch(0)
			wakers.AppendStall(stall(102, 500))
			batch := builder.NewBatch(0)
			batch.AppendStall(waiting(505, test.meanwhile...))
			wait, cycle := all(batch.Traces())[1], all(wakers.Traces())[0]
			if !test.linked {
				assert.Zero(t, wait.Links().Len())
				return
			}
			require.Equal(t, 1, wait.Links().Len())
			link := wait.Links().At(0)
			assert.Equal(t, cycle.TraceID(), link.TraceID())
			assert.Equal(t, cycle.SpanID(), link.SpanID())
			assert.Equal(t, map[string]any{"stall.link": "waker_cycle"}, link.Attributes().AsRaw())
		})
	}
}

// Calls are told in the order of their ends: what ended earlier has a trace already
// or never gets one.
func TestACallThatWasNotToldIsNotLinked(t *testing.T) {
	before, unknown := launch(102, 20), launch(102, 96)
	builder := NewBuilder(Settings{})
	linked := func(c *causality.Chain) bool {
		batch := builder.NewBatch(0)
		batch.AppendStall(waiting(5, c.Root))
		links := all(batch.Traces())[2].Links()
		return links.Len() == 1 && links.At(0).TraceID() == builder.rootID(c.Process, c.Root.Call).trace
	}
	assert.False(t, linked(before))
	assert.True(t, linked(unknown), "it ends with the cycle or later, and may be told yet")
	builder.NewBatch(0).Append(before)
	assert.True(t, linked(before))
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
