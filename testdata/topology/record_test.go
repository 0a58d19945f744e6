package topology

import (
	"maps"
	"slices"
	"sync"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// record is what arrived at a gateway, and what it said.
type record struct {
	mu       sync.Mutex
	traces   map[pcommon.TraceID]bool
	spans    int
	verdicts []ptrace.Span
}

func newRecord() *record { return &record{traces: make(map[pcommon.TraceID]bool)} }

// add notes spans of ranks as arrived, and verdicts as said.
func (r *record) add(traces ptrace.Traces) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for span := range each(traces) {
		if raw(span, "nccl.verdict") != nil {
			r.verdicts = append(r.verdicts, span)
			continue
		}
		r.traces[span.TraceID()] = true
		r.spans++
	}
}

func (r *record) arrived() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.spans
}

func (r *record) said() []ptrace.Span {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.verdicts)
}

// collectives returns the traces of which something arrived.
func (r *record) collectives() map[pcommon.TraceID]bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.traces)
}

// each visits every span.
func each(traces ptrace.Traces) func(yield func(ptrace.Span) bool) {
	return func(yield func(ptrace.Span) bool) {
		for _, resource := range traces.ResourceSpans().All() {
			for _, scope := range resource.ScopeSpans().All() {
				for _, span := range scope.Spans().All() {
					if !yield(span) {
						return
					}
				}
			}
		}
	}
}
