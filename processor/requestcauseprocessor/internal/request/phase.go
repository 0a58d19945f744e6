package request

import (
	"time"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/window"
)

// Phase is a part of a request's life.
type Phase uint8

// Phases, in their order.
const (
	// PhaseNone: the request does not say in which phase it was.
	PhaseNone Phase = iota
	// PhaseQueue is from the arrival to the first scheduling: tokenizing, the
	// way to the engine, and waiting there.
	PhaseQueue
	// PhasePrefill is from the first scheduling to the first token.
	PhasePrefill
	// PhaseFirstToken is from the arrival to the first token, where the request
	// does not tell queue and prefill apart.
	PhaseFirstToken
	// PhaseDecode is from the first token to the last.
	PhaseDecode

	// NumPhases is how many there are.
	NumPhases
)

var phaseNames = [NumPhases]string{
	PhaseNone: "", PhaseQueue: "queue", PhasePrefill: "prefill", PhaseFirstToken: "first_token", PhaseDecode: "decode",
}

// String returns the phase's name; that of PhaseNone is empty.
func (p Phase) String() string { return phaseNames[p] }

// Phases is when a request was in each phase. The windows follow each other
// and do not overlap; those of phases that are not known are empty.
type Phases [NumPhases]window.Window

// latencies are those that a request says, by fieldQueue to fieldEndToEnd.
type latencies [fieldEndToEnd + 1]latency

// phases returns what part of the whole the request was served in, and its
// phases in it. The latencies say how long, not when; they are measured from
// the arrival, which is where the span starts, or from each other.
func (l *latencies) phases(whole window.Window) (window.Window, Phases) {
	served := l.served(whole)
	var p Phases
	scheduled, told := l.scheduled()
	first := l[fieldFirstToken]
	if told {
		p[PhaseQueue] = cut(served, 0, scheduled)
	}
	switch {
	case told && first.known:
		p[PhasePrefill] = cut(served, scheduled, first.Duration)
	case told && l[fieldPrefill].known:
		first = latency{Duration: scheduled + l[fieldPrefill].Duration, known: true}
		p[PhasePrefill] = cut(served, scheduled, first.Duration)
	case first.known:
		p[PhaseFirstToken] = cut(served, 0, first.Duration)
	}
	if first.known {
		p[PhaseDecode] = cut(served, first.Duration, served.Duration())
	}
	return served, p
}

// served ends with the last token: a server may end its span later.
func (l *latencies) served(whole window.Window) window.Window {
	served := whole
	for _, took := range []latency{l[fieldEndToEnd], l.lastToken()} {
		if took.known && took.Duration > 0 {
			served.End = min(served.End, whole.Start.Add(took.Duration))
		}
	}
	return served
}

func (l *latencies) lastToken() latency {
	first, decode := l[fieldFirstToken], l[fieldDecode]
	if !first.known || !decode.known {
		return latency{}
	}
	return latency{Duration: first.Duration + decode.Duration, known: true}
}

// scheduled returns how long after its arrival the request was first scheduled.
// By the first token and the prefill it includes all that came before; the time
// in the queue alone is the next best, and cannot be longer than that to the first
// token.
func (l *latencies) scheduled() (time.Duration, bool) {
	first, prefill, queue := l[fieldFirstToken], l[fieldPrefill], l[fieldQueue]
	if first.known && prefill.known {
		return max(first.Duration-prefill.Duration, 0), true
	}
	if first.known {
		return min(queue.Duration, first.Duration), queue.known
	}
	return queue.Duration, queue.known
}

// cut returns the part of w from one duration after its start to another.
func cut(w window.Window, from, to time.Duration) window.Window {
	part := window.Window{Start: w.Start.Add(from), End: w.Start.Add(to)}
	if part = part.And(w); part.Empty() {
		return window.Window{}
	}
	return part
}
