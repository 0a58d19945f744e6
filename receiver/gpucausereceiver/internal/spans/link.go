package spans

import (
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/gpucause/gpucause/internal/event"
)

// threadKey names a thread beyond the reuse of its process's number.
type threadKey struct {
	process event.ProcessID
	tid     event.TID
}

// previousRoots remembers each thread's latest trace, for a bounded number of
// threads: the one that came first is forgotten first.
type previousRoots struct {
	roots map[threadKey]rootID
	order []threadKey // ring, by arrival
	next  int
}

func newPreviousRoots(size int) previousRoots {
	return previousRoots{roots: make(map[threadKey]rootID), order: make([]threadKey, 0, min(size, 64)), next: -size}
}

// swap stores root as key's latest and returns the one before it.
func (p *previousRoots) swap(key threadKey, root rootID) (rootID, bool) {
	before, known := p.roots[key]
	p.roots[key] = root
	if !known {
		p.arrived(key)
	}
	return before, known
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
