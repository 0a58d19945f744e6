package scenario

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// joint is what the ranks of a collective have in common.
type joint struct {
	operation    string
	sequence     int64
	size         int64
	communicator string
	call         map[string]string // count, type, op, root: as written
	sampled      bool
	from, to     int64 // of a pair
	pair         bool
}

func (s *Story) collective(l *line) {
	s.joint = joint{sequence: l.number(l.word()), operation: l.word()}
	s.jointly(l)
}

func (s *Story) pair(l *line) {
	s.joint = joint{sequence: l.number(l.word()), pair: true}
	s.joint.from, s.joint.to = l.numbers(l.word())
	s.jointly(l)
}

func (s *Story) jointly(l *line) {
	j := &s.joint
	j.sampled, j.communicator, j.call = true, "c0ffee0000000001", make(map[string]string)
	s.action = s.now.Sub(Epoch)
	for l.more() {
		switch name, value := l.option(); name {
		case "size":
			j.size = l.number(value)
		case "at":
			s.action = l.duration(value)
		case "communicator":
			j.communicator = value
		case "unsampled":
			j.sampled = false
		case "count", "type", "op", "root":
			j.call[name] = value
		default:
			l.fail("%q is not an option of a collective", name)
		}
	}
}

// ranks adds the spans of one rank or of several that did the same.
func (s *Story) ranks(l *line) {
	first, last := l.numbers(l.word())
	host := l.word()
	clock, ok := s.hosts[host]
	if !ok {
		l.fail("host %s is not declared", host)
	}
	enqueue, options := l.duration(l.word()), l.words
	for n := first; n <= last && l.err == nil; n++ {
		l.words = options
		w := writer{
			joint: &s.joint, line: l, number: n,
			zero: Epoch.Add(s.action + clock).UnixNano(),
		}
		traces := ptrace.NewTraces()
		w.write(traces, host, enqueue)
		s.now = maxTime(s.now, Epoch.Add(s.action)).Add(time.Millisecond)
		s.Steps = append(s.Steps, Step{At: s.now, Traces: traces})
		if w.again {
			s.Steps = append(s.Steps, Step{At: s.now, Traces: traces})
		}
	}
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// writer writes the span of a rank.
type writer struct {
	*joint
	*line
	number int64
	zero   int64 // what the rank's host reads at time 0 of the collective
	span   ptrace.Span
	again  bool
}

func (w *writer) at(t time.Duration) int64 { return w.zero + int64(t) }

func (w *writer) write(traces ptrace.Traces, host string, enqueue time.Duration) {
	resource := traces.ResourceSpans().AppendEmpty()
	attributes := resource.Resource().Attributes()
	if host != "nowhere" {
		attributes.PutStr("host.name", host)
		attributes.PutStr("host.id", "id-of-"+host)
	}
	attributes.PutInt("process.pid", 4000+w.number)
	attributes.PutStr("service.name", "trainer")
	w.span = resource.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	w.identify()
	w.common(enqueue)
	for w.more() {
		w.detail(w.option())
	}
}

func (w *writer) identify() {
	key := fmt.Sprintf("%s %d %v %d %d", w.communicator, w.sequence, w.pair, w.from, w.to)
	sum := sha256.Sum256([]byte(key))
	w.span.SetTraceID(pcommon.TraceID(sum[:16]))
	w.span.SetParentSpanID(pcommon.SpanID(sum[16:24]))
	own := sha256.Sum256(fmt.Appendf(nil, "%s rank %d", key, w.number))
	w.span.SetSpanID(pcommon.SpanID(own[:8]))
	cycle := w.span.Links().AppendEmpty()
	cycle.SetTraceID(pcommon.TraceID(own[8:24]))
	cycle.SetSpanID(pcommon.SpanID(own[24:32]))
	cycle.Attributes().PutStr("stall.link", "dispatch_cycle")
}

func (w *writer) common(enqueue time.Duration) {
	operation := w.operation
	attributes := w.span.Attributes()
	if w.pair {
		operation = "Send"
		peer := w.to
		if w.number == w.to {
			operation, peer = "Recv", w.from
		}
		attributes.PutInt("nccl.peer", peer)
	}
	w.span.SetName("nccl" + operation)
	w.span.SetStartTimestamp(pcommon.Timestamp(w.at(enqueue)))
	attributes.PutStr("nccl.operation", operation)
	attributes.PutStr("nccl.communicator", w.communicator)
	attributes.PutInt("nccl.communicator.size", w.size)
	attributes.PutInt("nccl.rank", w.number)
	attributes.PutInt("nccl.sequence", w.sequence)
	attributes.PutBool("nccl.sampled", w.sampled)
	attributes.PutInt("nccl.enqueue.time", w.at(enqueue))
	attributes.PutInt("nccl.enqueue.not_before", w.at(enqueue))
	attributes.PutStr("nccl.enqueue.quality", "bounded")
	for name, value := range w.call {
		w.argument(name, value)
	}
}

// argument is one of the call's.
func (w *writer) argument(name, value string) {
	attributes := w.span.Attributes()
	switch name {
	case "count":
		attributes.PutInt("nccl.count", w.line.number(value))
	case "root":
		attributes.PutInt("nccl.root", w.line.number(value))
	case "type":
		attributes.PutStr("nccl.datatype", value)
	case "op":
		attributes.PutStr("nccl.reduction", value)
	}
}

// enqueued is what the rank's host reads when the call that enqueues returns.
func (w *writer) enqueued() int64 {
	value, _ := w.span.Attributes().Get("nccl.enqueue.time")
	return value.Int()
}

func (w *writer) detail(name, value string) {
	attributes := w.span.Attributes()
	switch name {
	case "count", "root", "type", "op":
		w.argument(name, value)
	case "operation":
		attributes.PutStr("nccl.operation", value)
	case "done":
		attributes.PutInt("nccl.completion.time", w.at(w.duration(value)))
		attributes.PutBool("nccl.completed", true)
	case "pending":
		attributes.PutBool("nccl.completed", false)
	case "wait":
		from, to := w.durations(value)
		attributes.PutInt("nccl.wait.start_time", w.at(from))
		attributes.PutDouble("nccl.wait", (to - from).Seconds())
	case "call":
		from := w.enqueued() - int64(w.duration(value))
		w.span.SetStartTimestamp(pcommon.Timestamp(from))
		attributes.PutInt("nccl.enqueue.not_before", from)
	case "old":
		attributes.Remove("nccl.enqueue.not_before")
	case "timeless":
		attributes.Remove("nccl.enqueue.not_before")
		w.span.SetStartTimestamp(0)
	case "lower_bound":
		attributes.PutStr("nccl.enqueue.quality", "lower_bound")
	case "again":
		w.again = true
	case "failed":
		w.span.Status().SetCode(ptrace.StatusCodeError)
		attributes.PutStr("error.type", value)
	case "cause":
		attributes.PutStr("nccl.arrival.cause", value)
		attributes.PutDouble("nccl.arrival.explained", 0.95)
	case "summary":
		attributes.PutStr("nccl.arrival.summary", strings.ReplaceAll(value, "_", " "))
	default:
		attributes.PutDouble("nccl.arrival.time."+name, w.duration(value).Seconds())
	}
}
