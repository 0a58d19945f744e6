package event

// SpanSource is who says which span a thread is in.
type SpanSource uint8

// Sources of an ActiveSpan.
const (
	SpanSourceNone   SpanSource = iota
	SpanSourceThread            // the thread itself, in its thread context (OTEP 4947)
	SpanSourceMap               // another observer, in the map that is shared (OTEP 4855)
)

// ActiveSpan is the span that a thread is in, as it or its instrumentation
// publishes it. The zero value is none.
type ActiveSpan struct {
	TraceID [16]byte
	SpanID  [8]byte
	Source  SpanSource
	Flags   uint8 // W3C trace flags; 0 but from SpanSourceThread
}

// flagSampled is the W3C trace flag that says that the span is recorded.
const flagSampled = 1

// MakeActiveSpan returns s, or none where an id is not a valid one or its source unknown.
func MakeActiveSpan(s ActiveSpan) ActiveSpan {
	known := s.Source == SpanSourceThread || s.Source == SpanSourceMap
	if !known || s.TraceID == [16]byte{} || s.SpanID == [8]byte{} {
		return ActiveSpan{}
	}
	if s.Source != SpanSourceThread {
		s.Flags = 0
	}
	return s
}

// Known reports whether there is a span.
func (s *ActiveSpan) Known() bool { return s.Source != SpanSourceNone }

// Recorded reports whether the span is, for all that is known, one that is
// exported: the thread says that it is sampled, or nothing is said of it.
func (s *ActiveSpan) Recorded() bool {
	return s.Known() && (s.Source != SpanSourceThread || s.Flags&flagSampled != 0)
}

// Same reports whether both are the same span, whoever says so.
func (s *ActiveSpan) Same(other *ActiveSpan) bool {
	return s.Known() && other.Known() && s.TraceID == other.TraceID && s.SpanID == other.SpanID
}
