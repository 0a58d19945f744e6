package spans

import (
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/gpucause/gpucause/internal/causality"
	"github.com/gpucause/gpucause/internal/timeline"
)

func TestRandomWorlds(t *testing.T) {
	for seed := range uint64(25) {
		w := randomWorld(seed)
		batch := NewBuilder(Settings{HostID: "host"}).NewBatch(0)
		tl := timeline.New(timeline.Settings{MaxParts: 1 << 20, IntervalsPerThread: 1 << 20})
		for n := range w.records {
			tl.Add(&w.records[n])
		}
		var calls int
		tl.Advance(1e12, timeline.Handler{Tree: func(tree *timeline.Tree) {
			chain := causality.Explain(tl, tree, causality.Settings{})
			if n := wakersIntervals(chain.Root); n > 64 {
				t.Fatalf("seed %d: %d intervals of wakers", seed, n)
			}
			calls += len(batch.Append(chain))
		}})
		if want := len(w.records) - offCPURecords(w); calls != want {
			t.Fatalf("seed %d: %d calls became spans, want %d", seed, calls, want)
		}
		checkTraces(t, seed, batch.Traces())
	}
}

func offCPURecords(w *world) int {
	n := 0
	for i := range w.records {
		if w.records[i].OffCPU.Task.Thread.TID != 0 {
			n++
		}
	}
	return n
}

// wakersIntervals counts the intervals under waits.
func wakersIntervals(i *causality.Interval) int {
	n := 0
	for _, child := range i.Children {
		n += wakersIntervals(child)
		if i.Call == nil || child.Task().Thread != i.Task().Thread {
			n++
		}
	}
	return n
}

// tree is the spans of many traces by id.
type tree map[pcommon.SpanID]ptrace.Span

func checkTraces(t *testing.T, seed uint64, traces ptrace.Traces) {
	t.Helper()
	byID, roots := tree{}, map[pcommon.TraceID]int{}
	for _, span := range all(traces) {
		if _, twice := byID[span.SpanID()]; twice || span.SpanID().IsEmpty() || span.TraceID().IsEmpty() {
			t.Fatalf("seed %d: id %s of %s is empty or not unique", seed, span.SpanID(), span.Name())
		}
		byID[span.SpanID()] = span
		if span.ParentSpanID().IsEmpty() {
			roots[span.TraceID()]++
		}
	}
	for trace, n := range roots {
		if n != 1 {
			t.Fatalf("seed %d: trace %s has %d roots", seed, trace, n)
		}
	}
	offCPU := map[pcommon.SpanID]time.Duration{}
	for _, span := range byID {
		checkSpan(t, seed, byID, span)
		byID.charge(offCPU, span)
	}
	for id, span := range byID {
		checkSum(t, seed, span, offCPU[id])
	}
}

func checkSpan(t *testing.T, seed uint64, byID tree, span ptrace.Span) {
	t.Helper()
	if span.EndTimestamp() < span.StartTimestamp() {
		t.Fatalf("seed %d: %s ends before it starts", seed, span.Name())
	}
	if span.ParentSpanID().IsEmpty() {
		return
	}
	parent, found := byID[span.ParentSpanID()]
	if !found || parent.TraceID() != span.TraceID() {
		t.Fatalf("seed %d: %s has no parent in its trace", seed, span.Name())
	}
	if span.StartTimestamp() < parent.StartTimestamp() || span.EndTimestamp() > parent.EndTimestamp() {
		t.Fatalf("seed %d: %s sticks out of %s", seed, span.Name(), parent.Name())
	}
}

// charge adds an off-CPU span to the calls of its thread around it.
func (byID tree) charge(offCPU map[pcommon.SpanID]time.Duration, span ptrace.Span) {
	if _, ok := span.Attributes().Get(attrOffCPUKind); !ok {
		return
	}
	thread, _ := span.Attributes().Get(attrThreadID)
	for up := byID[span.ParentSpanID()]; ; up = byID[up.ParentSpanID()] {
		_, wait := up.Attributes().Get(attrOffCPUKind)
		if id, _ := up.Attributes().Get(attrThreadID); wait || id.Int() != thread.Int() {
			return
		}
		offCPU[up.SpanID()] += length(span)
		if up.ParentSpanID().IsEmpty() {
			return
		}
	}
}

// checkSum compares a call's off-CPU spans with its totals, unless it is shown in part.
func checkSum(t *testing.T, seed uint64, span ptrace.Span, got time.Duration) {
	t.Helper()
	blocked, isCall := span.Attributes().Get(attrCallBlocked)
	_, clipped := span.Attributes().Get(attrCallStart)
	if !isCall || clipped || !ownTrace(span) {
		return
	}
	runnable, _ := span.Attributes().Get(attrCallRunnable)
	want := time.Duration((blocked.Double() + runnable.Double()) * 1e9)
	if d := got - want; d < -2 || d > 2 {
		t.Fatalf("seed %d: off-CPU spans under %s sum to %s, want %s", seed, span.Name(), got, want)
	}
}

// ownTrace reports whether span is a root; a call further down may be a
// waker's, of which not everything is shown.
func ownTrace(span ptrace.Span) bool { return span.ParentSpanID().IsEmpty() }

func length(span ptrace.Span) time.Duration {
	return time.Duration(span.EndTimestamp() - span.StartTimestamp())
}

func all(traces ptrace.Traces) []ptrace.Span {
	var spans []ptrace.Span
	for _, resource := range traces.ResourceSpans().All() {
		for _, scope := range resource.ScopeSpans().All() {
			for _, span := range scope.Spans().All() {
				spans = append(spans, span)
			}
		}
	}
	return spans
}
