package spans

import (
	"crypto/sha256"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/collective"
	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/verdict"
)

// ScopeName is the name of the instrumentation scope.
const ScopeName = "github.com/gpucause/gpucause/connector/collectiveskewconnector"

// spanName is the name of a verdict's span.
const spanName = "collective verdict"

// Batch collects the spans of verdicts, with one resource per process. It keeps
// nothing of the verdicts.
type Batch struct {
	version   string
	traces    ptrace.Traces
	resources map[*collective.Process]ptrace.SpanSlice
}

// NewBatch returns an empty batch. version is that of the scope.
func NewBatch(version string) *Batch {
	return &Batch{version: version, traces: ptrace.NewTraces(), resources: make(map[*collective.Process]ptrace.SpanSlice)}
}

// Traces returns what has been appended. The batch must not be used afterwards.
func (b *Batch) Traces() ptrace.Traces { return b.traces }

// Append adds the span of a verdict that has something to say.
func (b *Batch) Append(v *verdict.Verdict) {
	about := subject(v)
	span := b.spansOf(about.Process).AppendEmpty()
	span.SetName(spanName)
	span.SetKind(ptrace.SpanKindInternal)
	span.SetTraceID(v.Collective.Trace)
	span.SetSpanID(SpanID(v.Collective.Trace))
	span.SetParentSpanID(v.Collective.Parent)
	start, end := period(v)
	span.SetStartTimestamp(start)
	span.SetEndTimestamp(end)
	describe(span.Attributes(), v)
	if v.Kind == verdict.Desynchronized || v.Kind == verdict.MissingRanks {
		span.Status().SetCode(ptrace.StatusCodeError)
		span.Status().SetMessage(v.Summary)
	}
	if v.Late != nil {
		link(span, v.Collective.Trace, v.Late.Rank)
	}
}

// subject is the rank whose process the verdict is about: the straggler, or the
// lowest one that is there.
func subject(v *verdict.Verdict) *collective.Rank {
	if v.Late != nil {
		return v.Late.Rank
	}
	return &v.Collective.Ranks[0]
}

func (b *Batch) spansOf(process *collective.Process) ptrace.SpanSlice {
	if spans, ok := b.resources[process]; ok {
		return spans
	}
	resource := b.traces.ResourceSpans().AppendEmpty()
	putProcess(resource.Resource().Attributes(), process)
	scope := resource.ScopeSpans().AppendEmpty()
	scope.Scope().SetName(ScopeName)
	scope.Scope().SetVersion(b.version)
	b.resources[process] = scope.Spans()
	return scope.Spans()
}

// period is the time of a verdict: of a straggler from the arrival of the rank that
// it is compared with to its own, by its own clock; otherwise from the earliest to
// the latest enqueue, by the clocks of those ranks, or to the end of the patience
// with missing ranks.
func period(v *verdict.Verdict) (start, end pcommon.Timestamp) {
	if late := v.Late; late != nil {
		return pcommon.Timestamp(late.Rank.Enqueue.Add(-late.Lag)), pcommon.Timestamp(late.Rank.Enqueue)
	}
	first, last := v.Collective.Ranks[0].Enqueue, v.Collective.Ranks[0].Enqueue
	for i := range v.Collective.Ranks {
		first = min(first, v.Collective.Ranks[i].Enqueue)
		last = max(last, v.Collective.Ranks[i].Enqueue)
	}
	if v.Kind == verdict.MissingRanks {
		last = max(last, collective.Time(v.At.UnixNano()))
	}
	return pcommon.Timestamp(first), pcommon.Timestamp(last)
}

// SpanID returns the id of the verdict's span in a collective's trace: there is one
// at most. It is never zero.
func SpanID(trace pcommon.TraceID) pcommon.SpanID {
	sum := sha256.Sum256(append(trace[:], spanName...))
	id := pcommon.SpanID(sum[:8])
	if id.IsEmpty() {
		id[7] = 1
	}
	return id
}

// link points to the straggler's own span, and to the dispatch cycle that issued
// its call.
func link(span ptrace.Span, trace pcommon.TraceID, rank *collective.Rank) {
	own := span.Links().AppendEmpty()
	own.SetTraceID(trace)
	own.SetSpanID(rank.Span)
	own.Attributes().PutStr(attrLink, linkStraggler)
	if rank.Cycle.Trace.IsEmpty() {
		return
	}
	cycle := span.Links().AppendEmpty()
	cycle.SetTraceID(rank.Cycle.Trace)
	cycle.SetSpanID(rank.Cycle.Span)
	cycle.Attributes().PutStr(attrLink, linkCycle)
}
