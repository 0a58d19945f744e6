package scan

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/process"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/request"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/spans"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/stall"
)

// Found is what a payload has for a join.
type Found struct {
	Requests []Request
	Senders  []Sender
	Reports  []Report
	Startups []Startup

	// Requests that are not joined: without ids or time, part of another request
	// of the same process, or with children from before, or twice in the payload.
	Invalid, Nested, Joined int
	// Malformed counts roots of stalls that do not say when, where or what.
	Malformed int
}

// Request is a request span and who sent it.
type Request struct {
	request.Request
	Sender int // in Senders
}

// Sender is who sent the spans of one resource.
type Sender struct {
	process.Sender
	Resource int // its place in the payload
}

// Report is what one resource of the receiver has: a traced process, and its stalls.
type Report struct {
	Resource pcommon.Map // of the payload; not to be kept
	Stalls   []stall.Stall
}

// Startup is one part of a start that a process had.
type Startup struct {
	Trace  pcommon.TraceID
	Sender int
}

// Scanner scans payloads.
type Scanner struct {
	matcher *request.Matcher
	generic map[int]bool
}

// New returns a Scanner that finds the requests of a matcher. Generic are the ranks
// of the rules that name no server.
func New(matcher *request.Matcher, generic map[int]bool) *Scanner {
	return &Scanner{matcher: matcher, generic: generic}
}

// Scan looks through a payload that a peer has sent.
func (s *Scanner) Scan(traces ptrace.Traces, peer process.Peer) Found {
	w := walk{scanner: s, peer: peer}
	for i := range traces.ResourceSpans().Len() {
		w.resource(i, traces.ResourceSpans().At(i))
	}
	w.dropJoined()
	return w.found
}

// walk is one scan.
type walk struct {
	scanner *Scanner
	peer    process.Peer
	found   Found
	joined  map[spanKey]bool // requests that the payload has children for already
	seen    map[spanKey]bool // requests
}

type spanKey struct {
	trace pcommon.TraceID
	span  pcommon.SpanID
}

func (w *walk) resource(at int, r ptrace.ResourceSpans) {
	of := resource{walk: w, spans: r, at: at, sender: -1}
	for _, scope := range r.ScopeSpans().All() {
		switch scope.Scope().Name() {
		case stall.ScopeName:
			of.stalls(scope)
		case spans.ScopeName:
			w.children(scope)
		default:
			of.requests(scope)
		}
	}
	of.finish()
}

func (w *walk) children(scope ptrace.ScopeSpans) {
	for _, span := range scope.Spans().All() {
		if w.joined == nil {
			w.joined = make(map[spanKey]bool)
		}
		w.joined[spanKey{span.TraceID(), span.ParentSpanID()}] = true
	}
}

// first reports whether a request is in the payload for the first time.
func (w *walk) first(key spanKey) bool {
	if w.seen == nil {
		w.seen = make(map[spanKey]bool)
	}
	if w.seen[key] {
		return false
	}
	w.seen[key] = true
	return true
}

// dropJoined leaves out the requests that have children already.
func (w *walk) dropJoined() {
	kept := w.found.Requests[:0]
	for i := range w.found.Requests {
		r := &w.found.Requests[i]
		if w.joined[spanKey{r.Trace, r.Span}] {
			w.found.Joined++
			continue
		}
		kept = append(kept, *r)
	}
	w.found.Requests = kept
}
