package scan

import (
	"slices"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/group"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/process"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/request"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/stall"
)

// attrFunction is on vLLM's start-up spans, and on no others of vLLM's.
const attrFunction = "code.function"

// resource is one resource's part of a scan.
type resource struct {
	walk   *walk
	spans  ptrace.ResourceSpans
	at     int
	sender int // in Found.Senders; -1 until it is needed
	found  []request.Request
	report *Report
}

func (r *resource) stalls(scope ptrace.ScopeSpans) {
	if r.report == nil {
		r.report = &Report{Resource: r.spans.Resource().Attributes()}
	}
	for _, span := range scope.Spans().All() {
		if !stall.IsRoot(span) {
			continue
		}
		if read, ok := stall.Read(span); ok {
			r.report.Stalls = append(r.report.Stalls, read)
		} else {
			r.walk.found.Malformed++
		}
	}
}

func (r *resource) requests(scope ptrace.ScopeSpans) {
	rules := r.walk.scanner.matcher.Scope(scope.Scope().Name())
	for _, span := range scope.Spans().All() {
		if read, ok := rules.Read(span); !ok {
			r.startup(span)
		} else if read.Valid() {
			r.found = append(r.found, read)
		} else {
			r.walk.found.Invalid++
		}
	}
}

// startup notes a start-up span of vLLM.
func (r *resource) startup(span ptrace.Span) {
	if _, ok := span.Attributes().Get(attrFunction); !ok {
		return
	}
	if r.isVLLM() {
		r.walk.found.Startups = append(r.walk.found.Startups, Startup{Trace: span.TraceID(), Sender: r.senderIndex()})
	}
}

func (r *resource) isVLLM() bool {
	_, ok := r.spans.Resource().Attributes().Get(process.AttrVLLMPID)
	return ok
}

func (r *resource) senderIndex() int {
	if r.sender < 0 {
		found := &r.walk.found
		r.sender = len(found.Senders)
		sender := process.ReadSender(r.spans.Resource().Attributes(), r.walk.peer, group.StampAttribute)
		found.Senders = append(found.Senders, Sender{Sender: sender, Resource: r.at})
	}
	return r.sender
}

// finish keeps what was found.
func (r *resource) finish() {
	found := &r.walk.found
	if r.report != nil {
		found.Reports = append(found.Reports, *r.report)
	}
	nested := nestedIn(r.found)
	for i := range r.found {
		switch one := &r.found[i]; {
		case nested[i]:
			found.Nested++
		case !r.walk.first(spanKey{one.Trace, one.Span}):
			found.Joined++
		default:
			found.Requests = append(found.Requests, Request{Request: *one, Sender: r.senderIndex()})
		}
	}
	if r.sender >= 0 {
		found.Senders[r.sender].Generic = len(r.found) > 0 && !slices.ContainsFunc(r.found, r.namesServer)
	}
}

// namesServer reports whether a request is by a rule that names its server. One is
// enough: all of a resource's spans are of one process.
func (r *resource) namesServer(one request.Request) bool { return !r.walk.scanner.generic[one.Rank] }

// nestedIn returns which requests are left out because they are one with
// another: of a request and its parent, in the same process, a stall would be
// shown twice in one trace. The one that is kept is that of the earlier rule,
// which knows it better, or else the parent.
func nestedIn(requests []request.Request) map[int]bool {
	if len(requests) < 2 {
		return nil
	}
	at := make(map[spanKey]int, len(requests))
	for i := range requests {
		at[spanKey{requests[i].Trace, requests[i].Span}] = i
	}
	nested := make(map[int]bool)
	for i := range requests {
		parent, ok := at[spanKey{requests[i].Trace, requests[i].Parent}]
		if !ok || parent == i {
			continue
		}
		if requests[i].Rank < requests[parent].Rank {
			nested[parent] = true
		} else {
			nested[i] = true
		}
	}
	return nested
}
