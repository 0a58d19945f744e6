package request

import (
	"math"
	"strconv"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/window"
)

// Request is what a request span says.
type Request struct {
	Trace  pcommon.TraceID
	Span   pcommon.SpanID
	Parent pcommon.SpanID

	// Window is the span's.
	Window window.Window
	// Served is the part of it in which a stall can have delayed the request: up
	// to its last token, where that is known.
	Served window.Window
	Phases Phases
	Work   Work
	ID     string // empty where it is not said
	Thread Thread

	Rule   string
	Rank   int // of the rule: the first one has 0
	Detail Detail
}

// Work is how much a request was. What is not said is 0; nothing is more than
// maxCount, so that figures of many requests can be added up.
type Work struct {
	PromptTokens     int64
	CompletionTokens int64
	Sequences        int64
	Logprobs         int64
}

// Tokens returns how many the request has, of prompt and answer.
func (w *Work) Tokens() int64 { return w.PromptTokens + w.CompletionTokens }

// Thread is the very thread that a span is of. Its TID is 0 where no thread is named.
type Thread struct {
	HostID string
	TID    int64 // in the process's own PID namespace
}

// Valid reports whether children can be appended to the request: it must have
// ids, and have lasted.
func (r *Request) Valid() bool {
	return !r.Trace.IsEmpty() && !r.Span.IsEmpty() && !r.Window.Empty()
}

// Bounds of what a request says of itself.
const (
	maxID      = 128               // bytes of its id
	maxCount   = 1 << 30           // of tokens and the like; far beyond what any model takes
	maxLatency = math.MaxInt64 / 4 // ns; the sum of two is a [time.Duration]
)

// read reads a span that the rule matches.
func (c *compiled) read(span ptrace.Span) Request {
	r := Request{Trace: span.TraceID(), Span: span.SpanID(), Parent: span.ParentSpanID(), Rule: c.Name, Rank: c.rank, Detail: c.Detail}
	start, early := window.Of(span.StartTimestamp())
	end, late := window.Of(span.EndTimestamp())
	if early && late {
		r.Window = window.Window{Start: start, End: end}
	}
	var l latencies
	for key, value := range span.Attributes().All() {
		if which, ok := c.fields[key]; ok {
			r.take(which, value, &l)
		}
	}
	r.Served, r.Phases = l.phases(r.Window)
	return r
}

func (r *Request) take(which field, value pcommon.Value, l *latencies) {
	switch which {
	case fieldPromptTokens:
		r.Work.PromptTokens = count(value)
	case fieldCompletionTokens:
		r.Work.CompletionTokens = count(value)
	case fieldSequences:
		r.Work.Sequences = count(value)
	case fieldLogprobs:
		r.Work.Logprobs = count(value)
	case fieldID:
		r.ID = text(value)
	case fieldHostID:
		r.Thread.HostID = text(value)
	case fieldTID:
		r.Thread.TID = number(value)
	default:
		l[which] = seconds(value)
	}
}

// text returns a string attribute; one that is too long is none, for a part of
// an id would name something else.
func text(value pcommon.Value) string {
	if value.Type() != pcommon.ValueTypeStr || len(value.Str()) > maxID {
		return ""
	}
	return value.Str()
}

// count returns an attribute that is a count, 0 to maxCount.
func count(value pcommon.Value) int64 { return min(number(value), maxCount) }

// number returns an attribute that is a whole number of at least 0, also one that
// was written as a string; anything else is 0.
func number(value pcommon.Value) int64 {
	switch value.Type() {
	case pcommon.ValueTypeInt:
		return max(value.Int(), 0)
	case pcommon.ValueTypeStr:
		if n, err := strconv.ParseInt(value.Str(), 10, 64); err == nil {
			return max(n, 0)
		}
	}
	return 0
}

// latency is a time that a request says that it took.
type latency struct {
	time.Duration
	known bool
}

// seconds returns an attribute that is a number of seconds. What cannot be one
// is not known.
func seconds(value pcommon.Value) latency {
	var s float64
	switch value.Type() {
	case pcommon.ValueTypeDouble:
		s = value.Double()
	case pcommon.ValueTypeInt:
		s = float64(value.Int())
	default:
		return latency{}
	}
	if !(s >= 0 && s < maxLatency/float64(time.Second)) {
		return latency{}
	}
	return latency{Duration: time.Duration(math.Round(s * float64(time.Second))), known: true}
}
