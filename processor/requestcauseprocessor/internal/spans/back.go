package spans

import (
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/group"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/join"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/request"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/window"
)

// backLink is the requests in a payload that one stall delayed.
type backLink struct {
	stall    *join.Hit
	during   window.Window
	requests []delayed
}

// delayed is a request that met a stall, and how sure it is that this was of the
// engine that served it.
type delayed struct {
	*request.Request
	scope group.Scope
}

type stallKey struct {
	trace pcommon.TraceID
	root  pcommon.SpanID
}

// delayed notes that a stall's trace is to lead to the request.
func (p *Payload) delayed(joined *Joined, h *join.Hit) {
	key := stallKey{h.Trace, h.Root}
	back, ok := p.backOf[key]
	if !ok {
		back = &backLink{stall: h}
		p.backOf[key] = back
		p.back = append(p.back, back)
	}
	back.during = back.during.Hull(h.Overlap)
	back.requests = append(back.requests, delayed{joined.Request, joined.Decision.Scope})
}

// Finish adds, to the trace of each stall that is linked, a span that leads to
// the requests that it delayed.
func (p *Payload) Finish() {
	for _, back := range p.back {
		span := p.begin(back.stall.Process, nameBackLink, back.during)
		span.SetTraceID(back.stall.Trace)
		span.SetParentSpanID(back.stall.Root)
		span.SetSpanID(backLinkID(back.stall, back.requests[0].Request))
		span.Attributes().PutInt(attrDelayed, int64(len(back.requests)))
		span.Attributes().PutInt(attrThreadID, back.stall.TID)
		putText(span.Attributes(), attrThreadName, back.stall.ThreadName)
		for _, r := range back.requests {
			addLink(span, r.Trace, r.Span, linkRequest).Attributes().PutStr(attrScope, string(r.scope))
		}
	}
	p.back = nil
}
