package spans

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/gpucause/gpucause/internal/causality"
	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
	"github.com/gpucause/gpucause/internal/probe"
)

// Emitted is a call that became a span, for the exemplars of metrics.
type Emitted struct {
	Process    event.ProcessID
	Thread     event.Thread
	Probe      probe.ID
	Function   uint64 // handle of the launched function, 0 if none
	Start, End ktime.Time
	TraceID    pcommon.TraceID
	SpanID     pcommon.SpanID
}

// Duration returns how long the call took.
func (e *Emitted) Duration() time.Duration { return e.End.Sub(e.Start) }

// Append adds the trace of chain to the batch. It returns the calls of the
// chain's own thread, the outermost first.
func (b *Batch) Append(chain *causality.Chain) []Emitted {
	id := b.builder.rootID(chain.Process, chain.Root.Call)
	w := writer{batch: b, trace: id.trace, end: chain.Root.End}
	root := w.call(chain.Root, id.place(chain.Root.Start, chain.Root.End, &chain.Root.Call.Span))
	w.describeRoot(root, chain)
	w.linkPrevious(root, threadKey{process: chain.Process, tid: chain.Root.Call.Task.Thread.TID}, told{root: id})
	return w.emitted
}

// attributesPerSpan is enough for a launch, which has the most.
const attributesPerSpan = 24

// writer writes one trace.
type writer struct {
	batch   *Batch
	trace   pcommon.TraceID
	end     ktime.Time // of the root
	emitted []Emitted
}

// place is where in the trace a span goes.
type place struct {
	parent   pcommon.SpanID
	from, to ktime.Time // the parent's time: nothing under it sticks out
	own      bool       // on the chain's own thread, not a waker's
	// active is the span that the thread of what is around it was in, to which the
	// trace leads already.
	active event.ActiveSpan
}

// place is where the root goes, which lasts from start to end and whose thread was
// in a span.
func (id *rootID) place(start, end ktime.Time, active *event.ActiveSpan) place {
	at := place{parent: id.parent, from: start, to: end, own: true}
	if !id.parent.IsEmpty() {
		at.active = *active
	}
	return at
}

// part is what a span shows of an interval.
type part struct {
	name       string
	start, end ktime.Time
	key        spanKey
}

// owner is whose a span is.
type owner struct {
	process event.ProcessID
	task    event.Task
}

func ownerOf(i *causality.Interval) owner { return owner{process: i.Process, task: i.Task()} }

func (w *writer) interval(i *causality.Interval, at place) {
	if i.Call != nil {
		w.call(i, at)
		return
	}
	w.offCPU(i, at)
}

func (w *writer) call(i *causality.Interval, at place) ptrace.Span {
	span, below := w.span(ownerOf(i), part{name: callName(i.Call), start: i.Start, end: i.End, key: callKey(i.Call)}, at)
	w.describeCall(span, i)
	below.active = linkActive(span, &i.Call.Span, at)
	if at.own {
		w.emitted = append(w.emitted, Emitted{
			Process: i.Process, Thread: i.Call.Task.Thread, Probe: i.Call.Probe, Function: launched(i.Call),
			Start: i.Call.Start, End: i.Call.End,
			TraceID: w.trace, SpanID: span.SpanID(),
		})
	} else if i.Call.Parent == 0 && !i.InCycle {
		w.linkOwnTrace(span, i)
	}
	for _, child := range i.Children {
		w.interval(child, below)
	}
	return span
}

// offCPU writes a blocked and a runnable span, as far as the interval has these parts.
func (w *writer) offCPU(i *causality.Interval, at place) {
	if i.Blocked() > 0 {
		name := kindBlockedName + ": " + i.Reason.String()
		span, below := w.span(ownerOf(i), part{name: name, start: i.Start, end: i.Wake, key: offCPUKey(i.OffCPU, kindBlocked)}, at)
		w.describeBlocked(span, i)
		w.linkWakersCycle(span, i)
		below.own = false
		for _, child := range i.Children {
			w.interval(child, below)
		}
	}
	if i.Runnable() > 0 {
		name := kindRunnableName + ": " + i.RunnableReason().String()
		span, _ := w.span(ownerOf(i), part{name: name, start: i.Wake, end: i.End, key: offCPUKey(i.OffCPU, kindRunnable)}, at)
		w.describeRunnable(span, i)
	}
}

// span writes what all spans have, and returns the place of the span's children.
func (w *writer) span(o owner, p part, at place) (ptrace.Span, place) {
	start := min(max(p.start, at.from), at.to)
	end := min(max(p.end, start), at.to)
	span := w.batch.spansOf(o.process).AppendEmpty()
	span.SetTraceID(w.trace)
	span.SetParentSpanID(at.parent)
	span.SetSpanID(spanID(w.trace, at.parent, p.key))
	span.SetName(p.name)
	span.SetKind(ptrace.SpanKindInternal)
	span.SetStartTimestamp(w.batch.timestamp(start))
	span.SetEndTimestamp(w.batch.timestamp(end))
	span.Attributes().EnsureCapacity(attributesPerSpan)
	span.Attributes().PutInt(attrThreadID, int64(o.task.Thread.TID))
	span.Attributes().PutStr(attrThreadName, o.task.Comm.String())
	return span, place{parent: span.SpanID(), from: start, to: end, own: at.own, active: at.active}
}
