package measurement

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/probe"
)

// maxExemplars is how many exemplars a series keeps between two collections:
// the latest ones.
const maxExemplars = 4

// Exemplar is one call whose span was emitted.
type Exemplar struct {
	Process  event.ProcessID
	TID      event.TID
	Function string // the call's name, as in the attribute cuda.call.name
	Layer    probe.Layer

	Duration time.Duration
	At       pcommon.Timestamp // the call's end
	TraceID  pcommon.TraceID
	SpanID   pcommon.SpanID

	// LaunchedFunction is the name of the GPU function launched, empty when unknown.
	LaunchedFunction string
}

// copyTo fills e in, with the attributes that the series itself does not have.
func (e *Exemplar) copyTo(exemplar pmetric.Exemplar, seriesThread event.TID) {
	exemplar.SetTimestamp(e.At)
	exemplar.SetDoubleValue(e.Duration.Seconds())
	exemplar.SetTraceID(e.TraceID)
	exemplar.SetSpanID(e.SpanID)
	attributes := exemplar.FilteredAttributes()
	if seriesThread == 0 {
		attributes.PutInt(keyThreadID, int64(e.TID))
	}
	if e.LaunchedFunction != "" {
		attributes.PutStr(keyLaunchedFunction, e.LaunchedFunction)
	}
}

// AddExemplar remembers a call until the next [Aggregator.Metrics]. A call of a
// function that no snapshot has counted yet is discarded.
func (a *Aggregator) AddExemplar(e Exemplar) {
	p, ok := a.processes[e.Process]
	if !ok {
		return
	}
	s, ok := p.calls[callKey{thread: p.seriesThread(e.TID), function: e.Function, layer: e.Layer}]
	if !ok {
		return
	}
	if len(s.exemplars) == maxExemplars {
		copy(s.exemplars, s.exemplars[1:])
		s.exemplars = s.exemplars[:maxExemplars-1]
	}
	s.exemplars = append(s.exemplars, e)
}
