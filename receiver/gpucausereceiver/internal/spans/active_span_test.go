package spans

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/gpucause/gpucause/internal/causality"
	"github.com/gpucause/gpucause/internal/event"
)

// active is a span that a thread says that it is in.
func active(id, flags byte) event.ActiveSpan {
	return event.ActiveSpan{TraceID: [16]byte{9, 15: id}, SpanID: [8]byte{8, 7: id}, Source: event.SpanSourceThread, Flags: flags}
}

func ofMap(id byte) event.ActiveSpan {
	return event.ActiveSpan{TraceID: [16]byte{9, 15: id}, SpanID: [8]byte{8, 7: id}, Source: event.SpanSourceMap}
}

// leads is a link to the span that a thread is in.
type leads struct {
	trace, span byte
	flags       uint32
	source      string
}

func activeLinks(t *testing.T, span ptrace.Span) []leads {
	t.Helper()
	var links []leads
	for _, l := range span.Links().All() {
		if relation, _ := l.Attributes().Get(attrLinkRelation); relation.Str() != "active_span" {
			continue
		}
		source, _ := l.Attributes().Get("stall.link.source")
		trace, id := l.TraceID(), l.SpanID()
		require.Equal(t, pcommon.TraceID{9, 15: trace[15]}, trace)
		require.Equal(t, pcommon.SpanID{8, 7: id[7]}, id)
		links = append(links, leads{trace: trace[15], span: id[7], flags: l.Flags(), source: source.Str()})
	}
	return links
}

// inSpans is a stall with a call in it, which has one in it, and the spans that
// the thread was in at the end of each.
func inSpans(cycle, outer, inner event.ActiveSpan) *causality.Stall {
	s := stall(101, 5)
	s.Cycle.Span = cycle
	call, nested := launch(101, 6).Root, launch(101, 7).Root
	call.Call.Span, nested.Call.Span = outer, inner
	nested.Call.ID = 2
	call.Children = []*causality.Interval{nested}
	s.Children = []*causality.Interval{call}
	return s
}

func TestStallsLinkToTheSpanOfTheirThread(t *testing.T) {
	for name, test := range map[string]struct {
		cycle, outer, inner event.ActiveSpan
		want                [3][]leads
	}{
		"in none": {},
		"in one":  {active(1, 1), active(1, 1), active(1, 1), [3][]leads{{{1, 1, 1, "thread_context"}}, nil, nil}},
		"unsampled, in the map": {
			ofMap(1), active(1, 0), active(2, 0), [3][]leads{{{1, 1, 0, "shared_map"}}, nil, {{2, 2, 0, "thread_context"}}},
		},
		"calls in others": {active(1, 1), active(2, 1), active(2, 1), [3][]leads{
			{{1, 1, 1, "thread_context"}}, {{2, 2, 1, "thread_context"}}, nil,
		}},
		"only a call":                 {event.ActiveSpan{}, active(2, 1), event.ActiveSpan{}, [3][]leads{nil, {{2, 2, 1, "thread_context"}}, nil}},
		"a call in none, then in one": {active(1, 1), event.ActiveSpan{}, active(1, 1), [3][]leads{{{1, 1, 1, "thread_context"}}, nil, nil}},
	} {
		t.Run(name, func(t *testing.T) {
			batch := NewBuilder(Settings{HostID: "a"}).NewBatch(0)
			batch.AppendStall(inSpans(test.cycle, test.outer, test.inner))
			spans := all(batch.Traces())
			require.Len(t, spans, 3)
			for n, span := range spans {
				assert.Equal(t, test.want[n], activeLinks(t, span), span.Name())
				assert.Equal(t, spans[0].TraceID(), span.TraceID())
			}
			assert.Empty(t, spans[0].ParentSpanID())
			assert.NotEqual(t, byte(9), spans[0].TraceID()[0], "the trace is its own")
		})
	}
}

func TestCallsThatAreRootsLinkToTheSpanOfTheirThread(t *testing.T) {
	chain := launch(101, 5)
	chain.Root.Call.Span = active(3, 1)
	batch := NewBuilder(Settings{}).NewBatch(0)
	batch.Append(chain)
	root := all(batch.Traces())[0]
	assert.Equal(t, []leads{{3, 3, 1, "thread_context"}}, activeLinks(t, root))
	assert.Empty(t, root.ParentSpanID())
}

func TestWakersLinkToTheirOwnSpans(t *testing.T) {
	wait := &causality.Interval{
		Process: event.ProcessID{PID: 100, Start: 7},
		OffCPU:  &event.OffCPU{Start: 10, Wake: 50, End: 50}, Start: 10, Wake: 50, End: 50, Reason: event.ReasonFutex,
	}
	waker := launch(102, 20).Root
	waker.Call.Span, waker.InCycle = active(2, 1), true
	wait.Children = []*causality.Interval{waker}
	s := stall(101, 5)
	s.Cycle.Span, s.Children = active(1, 1), []*causality.Interval{wait}
	batch := NewBuilder(Settings{}).NewBatch(0)
	batch.AppendStall(s)
	spans := all(batch.Traces())
	require.Len(t, spans, 3)
	assert.Equal(t, []leads{{2, 2, 1, "thread_context"}}, activeLinks(t, spans[2]))
}

func TestStallsBecomeChildrenOfRecordedSpans(t *testing.T) {
	batch := NewBuilder(Settings{ActiveParent: true}).NewBatch(0)
	calls := batch.AppendStall(inSpans(active(1, 1), active(1, 1), active(2, 1)))
	spans := all(batch.Traces())
	require.Len(t, spans, 3)
	for _, span := range spans {
		assert.Equal(t, pcommon.TraceID{9, 15: 1}, span.TraceID())
	}
	assert.Equal(t, pcommon.SpanID{8, 7: 1}, spans[0].ParentSpanID())
	assert.Equal(t, spans[0].SpanID(), spans[1].ParentSpanID())
	assert.Empty(t, activeLinks(t, spans[0]))
	assert.Empty(t, activeLinks(t, spans[1]))
	assert.Equal(t, []leads{{2, 2, 1, "thread_context"}}, activeLinks(t, spans[2]))
	assert.Equal(t, pcommon.TraceID{9, 15: 1}, calls[0].TraceID, "for the exemplars")
}

func TestWhatIsNotRecordedHasNoChildren(t *testing.T) {
	batch := NewBuilder(Settings{ActiveParent: true}).NewBatch(0)
	batch.AppendStall(inSpans(active(1, 0), event.ActiveSpan{}, event.ActiveSpan{}))
	batch.AppendStall(stall(102, 5))
	spans := all(batch.Traces())
	for _, root := range []ptrace.Span{spans[0], spans[3]} {
		assert.Empty(t, root.ParentSpanID())
		assert.NotEqual(t, byte(9), root.TraceID()[0])
	}
	assert.Equal(t, []leads{{1, 1, 0, "thread_context"}}, activeLinks(t, spans[0]))
	assert.Empty(t, activeLinks(t, spans[3]))
}

// The map does not say whether a span is recorded.
func TestStallsBecomeChildrenOfSharedSpans(t *testing.T) {
	batch := NewBuilder(Settings{ActiveParent: true}).NewBatch(0)
	s := stall(101, 5)
	s.Cycle.Span = ofMap(1)
	batch.AppendStall(s)
	assert.Equal(t, pcommon.SpanID{8, 7: 1}, all(batch.Traces())[0].ParentSpanID())
}

// Links between traces lead to where the root has come to be.
func TestLinksFollowChildren(t *testing.T) {
	batch := NewBuilder(Settings{ActiveParent: true}).NewBatch(0)
	first, second := stall(101, 5), stall(101, 500)
	first.Cycle.Span = active(1, 1)
	batch.AppendStall(first)
	batch.AppendStall(second)

	wait := &causality.Interval{
		Process: event.ProcessID{PID: 100, Start: 7},
		OffCPU:  &event.OffCPU{Start: 1010, Wake: 1050, End: 1050}, Start: 1010, Wake: 1050, End: 1050, Reason: event.ReasonFutex,
	}
	waker := launch(102, 1020)
	waker.Root.Call.Span = active(2, 1)
	batch.Append(waker)
	third := stall(103, 1000)
	wait.Children = []*causality.Interval{waker.Root}
	third.Children = []*causality.Interval{wait}
	batch.AppendStall(third)

	spans := all(batch.Traces())
	require.Len(t, spans, 6)
	previous := spans[1].Links().At(0)
	assert.Equal(t, spans[0].TraceID(), previous.TraceID())
	assert.Equal(t, spans[0].SpanID(), previous.SpanID())
	var own []ptrace.SpanLink
	for _, l := range spans[5].Links().All() {
		if relation, _ := l.Attributes().Get(attrLinkRelation); relation.Str() == linkOwn {
			own = append(own, l)
		}
	}
	require.Len(t, own, 1)
	assert.Equal(t, pcommon.TraceID{9, 15: 2}, own[0].TraceID())
	assert.Equal(t, spans[2].SpanID(), own[0].SpanID())
}
