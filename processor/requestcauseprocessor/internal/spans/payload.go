package spans

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/group"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/join"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/neighbour"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/process"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/window"
)

// Settings is what spans need to know of their surroundings.
type Settings struct {
	Version    string // of the scope
	Neighbours int    // requests that are named
	// Resource returns the resource of a traced process; false where it has been
	// forgotten.
	Resource func(process.ID) (pcommon.Map, bool)
}

// Joined is what was found for one request.
type Joined struct {
	join.Result
	Decision *group.Decision
	// Neighbours are the requests that were the GPU's work while this one waited
	// for it, the most work first. Where several engines share the requests there
	// are none: it is not known which of them ran on the same GPU.
	Neighbours []neighbour.Neighbour
}

// Payload is traces that spans are appended to, with one resource per process.
// It is for one goroutine.
type Payload struct {
	settings Settings
	traces   ptrace.Traces
	spans    map[process.ID]ptrace.SpanSlice
	back     []*backLink
	backOf   map[stallKey]*backLink
}

// On returns a Payload that appends to traces.
func On(traces ptrace.Traces, settings Settings) *Payload {
	return &Payload{
		settings: settings, traces: traces,
		spans: make(map[process.ID]ptrace.SpanSlice), backOf: make(map[stallKey]*backLink),
	}
}

// spansOf returns where the spans about a process go.
func (p *Payload) spansOf(id process.ID) ptrace.SpanSlice {
	if found, ok := p.spans[id]; ok {
		return found
	}
	added := p.traces.ResourceSpans().AppendEmpty()
	if resource, ok := p.settings.Resource(id); ok {
		resource.CopyTo(added.Resource().Attributes())
	}
	scope := added.ScopeSpans().AppendEmpty()
	scope.Scope().SetName(ScopeName)
	scope.Scope().SetVersion(p.settings.Version)
	p.spans[id] = scope.Spans()
	return scope.Spans()
}

// Append adds the children of one request: its stalls and the summary. The links
// back are added by Finish.
func (p *Payload) Append(joined *Joined) {
	for i := range joined.Shown {
		p.child(joined, &joined.Hits[i])
		if joined.Hits[i].Linked {
			p.delayed(joined, &joined.Hits[i])
		}
	}
	p.summary(joined)
}

// begin adds a span with what all of them have.
func (p *Payload) begin(of process.ID, name string, during window.Window) ptrace.Span {
	span := p.spansOf(of).AppendEmpty()
	span.SetName(name)
	span.SetKind(ptrace.SpanKindInternal)
	span.SetStartTimestamp(during.Start.Timestamp())
	span.SetEndTimestamp(during.End.Timestamp())
	return span
}

// addLink points a span to one of another trace, and returns the link.
func addLink(from ptrace.Span, trace pcommon.TraceID, to pcommon.SpanID, relation string) ptrace.SpanLink {
	link := from.Links().AppendEmpty()
	link.SetTraceID(trace)
	link.SetSpanID(to)
	link.Attributes().PutStr(attrLink, relation)
	return link
}
