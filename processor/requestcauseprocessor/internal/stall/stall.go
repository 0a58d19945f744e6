package stall

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/process"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/window"
)

// Thread names a thread of a traced process.
type Thread struct {
	Process process.ID
	TID     int64 // in the host's PID namespace
}

// Stall is one dispatch cycle that was slow or failed, as its root span tells it.
type Stall struct {
	window.Window // the cycle
	// Typical is how long the thread's cycles take; 0 where that is not known.
	Typical time.Duration

	Trace pcommon.TraceID // of the stall's own trace
	Root  pcommon.SpanID
	TID   int64

	Kind       string // stall.kind
	Cause      string // stall.cause; empty where there was none to tell
	Summary    string // stall.summary, cut to maxSummary bytes
	ThreadName string
	Explained  float64 // of the excess, by the cause: 0..1; negative where it is not told
}

// Excess returns how much longer than typical the cycle took.
func (s *Stall) Excess() time.Duration {
	if s.Typical <= 0 {
		return 0
	}
	return max(s.Duration()-s.Typical, 0)
}

// Label returns what the stall is called: its cause, or its kind where it has none.
func (s *Stall) Label() string {
	if s.Cause != "" {
		return s.Cause
	}
	return s.Kind
}

// size returns about how many bytes a stored stall takes.
func (s *Stall) size() int64 { return recordBytes + int64(len(s.Summary)) }
