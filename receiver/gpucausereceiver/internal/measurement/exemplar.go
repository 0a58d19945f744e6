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
	Process event.ProcessID
	TID     event.TID
	Probe   probe.ID
	// Function is the handle of the launched function, 0 if none.
	Function uint64

	Duration time.Duration
	At       pcommon.Timestamp // the call's end
	TraceID  pcommon.TraceID
	SpanID   pcommon.SpanID
}

// copyTo fills e in, with the thread where the series does not tell it.
func (e *Exemplar) copyTo(exemplar pmetric.Exemplar, seriesThread event.TID) {
	exemplar.SetTimestamp(e.At)
	exemplar.SetDoubleValue(e.Duration.Seconds())
	exemplar.SetTraceID(e.TraceID)
	exemplar.SetSpanID(e.SpanID)
	if seriesThread == 0 {
		exemplar.FilteredAttributes().PutInt(keyThreadID, int64(e.TID))
	}
}

// AddExemplar remembers a call until the next [Aggregator.Metrics]. A call of a
// function that no snapshot has counted yet is discarded.
func (a *Aggregator) AddExemplar(e Exemplar) {
	p, row := a.processes[e.Process], probe.Get(e.Probe)
	if p == nil || row == nil {
		return
	}
	s := a.seriesOf(p, row, &e)
	if s == nil {
		return
	}
	if len(s.exemplars) == maxExemplars {
		copy(s.exemplars, s.exemplars[1:])
		s.exemplars = s.exemplars[:maxExemplars-1]
	}
	s.exemplars = append(s.exemplars, e)
}

// seriesOf returns the series that counts a call, or nil. Launches count by
// launched function, or all in one.
func (a *Aggregator) seriesOf(p *process, row *probe.Probe, e *Exemplar) *callSeries {
	key := callKey{thread: p.seriesThread(e.TID), function: row.Function, layer: row.Layer, launched: a.launched(e.Process, e.Function)}
	if s, ok := p.calls[key]; ok {
		return s
	}
	key.launched = ""
	return p.calls[key]
}
