package stall

import (
	"math"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/window"
)

// What the receiver writes: docs/telemetry.md.
const (
	// ScopeName is the scope of the receiver's spans.
	ScopeName = "github.com/gpucause/gpucause/receiver/gpucausereceiver"

	cycleName      = "dispatch cycle"
	attrKind       = "stall.kind"
	attrCause      = "stall.cause"
	attrSummary    = "stall.summary"
	attrExplained  = "stall.explained"
	attrTypical    = "dispatch.typical_duration"
	attrThreadID   = "thread.id"
	attrThreadName = "thread.name"
)

// Bounds of the text of one stall, in bytes.
const (
	maxSummary = 512
	maxName    = 64
)

// IsRoot reports whether span is the root of a dispatch cycle. It may have a parent
// all the same: with the receiver's trace_context::parent the span that its thread was in.
func IsRoot(span ptrace.Span) bool { return span.Name() == cycleName }

// Read reads the root of a dispatch cycle's trace. It reports false where the
// span does not say when, where and what it was.
func Read(root ptrace.Span) (Stall, bool) {
	s := Stall{Trace: root.TraceID(), Root: root.SpanID(), Explained: untold}
	var early, late bool
	s.Start, early = window.Of(root.StartTimestamp())
	s.End, late = window.Of(root.EndTimestamp())
	for key, value := range root.Attributes().All() {
		s.read(key, value)
	}
	ok := early && late && !s.Empty() && s.Kind != "" && s.TID > 0
	return s, ok && !s.Trace.IsEmpty() && !s.Root.IsEmpty()
}

func (s *Stall) read(key string, value pcommon.Value) {
	switch key {
	case attrKind:
		s.Kind = text(value, maxName)
	case attrCause:
		s.Cause = text(value, maxName)
	case attrSummary:
		s.Summary = text(value, maxSummary)
	case attrThreadName:
		s.ThreadName = text(value, maxName)
	case attrExplained:
		s.Explained = share(value)
	case attrTypical:
		s.Typical = seconds(value)
	case attrThreadID:
		s.TID = value.Int()
	}
}

// text returns a string attribute in at most so many bytes, cut between
// characters. What it returns keeps no more than that in memory.
func text(value pcommon.Value, most int) string {
	if value.Type() != pcommon.ValueTypeStr {
		return ""
	}
	s := value.Str()
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(strings.Clone(s[:most]), "")
}

// untold is the share that is not told.
const untold = -1

func share(value pcommon.Value) float64 {
	if s := value.Double(); value.Type() == pcommon.ValueTypeDouble && s >= 0 && s <= 1 {
		return s
	}
	return untold
}

func seconds(value pcommon.Value) time.Duration {
	s := value.Double()
	if !(s > 0 && s < math.MaxInt64/float64(time.Second)) {
		return 0
	}
	return time.Duration(s * float64(time.Second))
}
