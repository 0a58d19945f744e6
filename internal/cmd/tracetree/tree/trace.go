package tree

import (
	"cmp"
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// Trace is the spans of one trace id, wherever in the input they were. Roots
// are the spans whose parent is not among them, earliest first.
type Trace struct {
	ID    pcommon.TraceID
	Roots []*Node
}

// Node is a span, its process's attributes and its children, earliest first.
type Node struct {
	Span     ptrace.Span
	Resource pcommon.Map
	Children []*Node
}

// Collect groups the spans of all batches by trace, in the order in which the
// traces first appear. A span that is there twice counts once.
func Collect(batches ...ptrace.Traces) []*Trace {
	var c collector
	for _, batch := range batches {
		for _, resource := range batch.ResourceSpans().All() {
			for _, scope := range resource.ScopeSpans().All() {
				for _, span := range scope.Spans().All() {
					c.add(&Node{Span: span, Resource: resource.Resource().Attributes()})
				}
			}
		}
	}
	return c.traces()
}

// collector groups nodes by trace and by span id.
type collector struct {
	order []pcommon.TraceID
	spans map[pcommon.TraceID]map[pcommon.SpanID]*Node
}

func (c *collector) add(node *Node) {
	id := node.Span.TraceID()
	if c.spans == nil {
		c.spans = make(map[pcommon.TraceID]map[pcommon.SpanID]*Node)
	}
	if c.spans[id] == nil {
		c.spans[id] = make(map[pcommon.SpanID]*Node)
		c.order = append(c.order, id)
	}
	if _, twice := c.spans[id][node.Span.SpanID()]; !twice {
		c.spans[id][node.Span.SpanID()] = node
	}
}

func (c *collector) traces() []*Trace {
	traces := make([]*Trace, 0, len(c.order))
	for _, id := range c.order {
		traces = append(traces, newTrace(id, c.spans[id]))
	}
	return traces
}

func newTrace(id pcommon.TraceID, spans map[pcommon.SpanID]*Node) *Trace {
	t := &Trace{ID: id}
	for _, node := range spans {
		if parent := spans[node.Span.ParentSpanID()]; parent != nil {
			parent.Children = append(parent.Children, node)
		} else {
			t.Roots = append(t.Roots, node)
		}
	}
	slices.SortFunc(t.Roots, earlier)
	for _, node := range spans {
		slices.SortFunc(node.Children, earlier)
	}
	return t
}

// earlier orders by start, then the longer first, then by id.
func earlier(a, b *Node) int {
	return cmp.Or(
		cmp.Compare(a.Span.StartTimestamp(), b.Span.StartTimestamp()),
		cmp.Compare(b.Span.EndTimestamp(), a.Span.EndTimestamp()),
		cmp.Compare(a.Span.SpanID().String(), b.Span.SpanID().String()),
	)
}

// Summary returns the first sentence of the trace, or "": of a stall its root's, of
// a collective the verdict's, of a request that of its stalls.
func (t *Trace) Summary() string { return summary(t.Roots) }

func summary(nodes []*Node) string {
	for _, node := range nodes {
		sentence := text(node.Span.Attributes(), attrSummary)
		if sentence == "" {
			sentence = summary(node.Children)
		}
		if sentence != "" {
			return sentence
		}
	}
	return ""
}

// Has reports whether a span of service is in the trace.
func (t *Trace) Has(service string) bool { return has(t.Roots, service) }

func has(nodes []*Node, service string) bool {
	for _, node := range nodes {
		if text(node.Resource, attrServiceName) == service || has(node.Children, service) {
			return true
		}
	}
	return false
}

// Depth returns how many spans lie on the longest way down.
func (t *Trace) Depth() int { return depth(t.Roots) }

func depth(nodes []*Node) int {
	deepest := 0
	for _, node := range nodes {
		deepest = max(deepest, 1+depth(node.Children))
	}
	return deepest
}

// Duration returns the duration of the first root.
func (t *Trace) Duration() time.Duration {
	if len(t.Roots) == 0 {
		return 0
	}
	return t.Roots[0].Duration()
}

// OffCPU returns how long the first root's thread was off-CPU, as its spans tell.
func (t *Trace) OffCPU() time.Duration {
	if len(t.Roots) == 0 {
		return 0
	}
	return offCPU(t.Roots[0])
}

// offCPU stops at off-CPU spans: what is below them is other threads' time.
func offCPU(node *Node) time.Duration {
	if _, is := node.Span.Attributes().Get(attrOffCPUKind); is {
		return node.Duration()
	}
	var sum time.Duration
	for _, child := range node.Children {
		sum += offCPU(child)
	}
	return sum
}

// Duration returns the span's duration.
func (n *Node) Duration() time.Duration {
	return n.Span.EndTimestamp().AsTime().Sub(n.Span.StartTimestamp().AsTime())
}

// thread tells nodes of different threads apart.
type thread struct {
	pid, tid int64
}

func (n *Node) thread() thread {
	return thread{pid: integer(n.Resource, attrPID), tid: integer(n.Span.Attributes(), attrThreadID)}
}
