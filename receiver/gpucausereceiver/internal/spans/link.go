package spans

import (
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/gpucause/gpucause/internal/causality"
	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
)

// threadKey names a thread beyond the reuse of its process's number.
type threadKey struct {
	process event.ProcessID
	tid     event.TID
}

// told is a trace that was made.
type told struct {
	root rootID
	// from and to are the times of the root that is a dispatch cycle; 0 of a call.
	from, to ktime.Time
}

// holds reports whether i, of the same thread, is in the cycle that was told: it
// ended there.
func (t *told) holds(i *causality.Interval) bool {
	end := trueEnd(i)
	return t.from < end && end <= t.to
}

func trueEnd(i *causality.Interval) ktime.Time {
	if i.Call != nil {
		return i.Call.End
	}
	return i.OffCPU.End
}

// previousRoots remembers each thread's latest trace, for a bounded number of
// threads: the one that came first is forgotten first.
type previousRoots struct {
	roots map[threadKey]told
	order []threadKey // ring, by arrival
	next  int
}

func newPreviousRoots(size int) previousRoots {
	return previousRoots{roots: make(map[threadKey]told), order: make([]threadKey, 0, min(size, 64)), next: -size}
}

// swap stores trace as key's latest and returns the one before it.
func (p *previousRoots) swap(key threadKey, trace told) (told, bool) {
	before, known := p.roots[key]
	p.roots[key] = trace
	if !known {
		p.arrived(key)
	}
	return before, known
}

// ofThread returns the latest trace of the thread that an interval belongs to.
func (p *previousRoots) ofThread(i *causality.Interval) (told, bool) {
	found, known := p.roots[threadKey{process: i.Process, tid: i.Task().Thread.TID}]
	return found, known
}

// arrived puts key into the ring. While next is negative, the ring still grows.
func (p *previousRoots) arrived(key threadKey) {
	if p.next < 0 {
		p.order = append(p.order, key)
		p.next++
		return
	}
	delete(p.roots, p.order[p.next])
	p.order[p.next] = key
	p.next = (p.next + 1) % len(p.order)
}

// link points span to another trace.
func link(span ptrace.Span, to rootID, relation string) ptrace.SpanLink {
	l := span.Links().AppendEmpty()
	l.SetTraceID(to.trace)
	l.SetSpanID(to.span)
	l.Attributes().PutStr(attrLinkRelation, relation)
	return l
}

// linkWakersCycle points the span of a wait to the waker's dispatch cycle that holds
// what is told below it. Only one that is known to have a trace is linked: what ends
// later than this trace may yet have one.
func (w *writer) linkWakersCycle(span ptrace.Span, wait *causality.Interval) {
	for _, child := range wait.Children {
		if trace, known := w.batch.builder.previous.ofThread(child); known && trace.holds(child) {
			link(span, trace.root, linkWakerCycle)
			return
		}
	}
}

// linkOwnTrace points an outermost call of a waker to its own trace, unless it is
// known to have none: calls are told in the order of their ends.
func (w *writer) linkOwnTrace(span ptrace.Span, i *causality.Interval) {
	own := w.batch.builder.rootID(i.Process, i.Call)
	latest, _ := w.batch.builder.previous.ofThread(i)
	if i.Call.End >= w.end || latest.root == own {
		link(span, own, linkOwn)
	}
}

// sources are the values of stall.link.source.
var sources = map[event.SpanSource]string{
	event.SpanSourceThread: "thread_context",
	event.SpanSourceMap:    "shared_map",
}

// linkActive points span to the span that its thread was in, unless the trace leads
// there already. It returns the one that it leads to below span.
func linkActive(span ptrace.Span, active *event.ActiveSpan, at place) event.ActiveSpan {
	if !active.Known() || active.Same(&at.active) {
		return at.active
	}
	l := link(span, rootID{trace: active.TraceID, span: active.SpanID}, linkActiveSpan)
	l.SetFlags(uint32(active.Flags))
	l.Attributes().PutStr(attrLinkSource, sources[active.Source])
	return *active
}
