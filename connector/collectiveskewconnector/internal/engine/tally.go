package engine

import (
	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/pairing"
	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/verdict"
)

// Tally is what became of spans and collectives since the previous tally.
type Tally struct {
	Spans      [pairing.Outcomes]int64
	Unpairable int64
	Results    [verdict.Results]int64
	Verdicts   [verdict.Kinds]int64
}

// Tally returns what was counted since it was called last.
func (e *Engine) Tally() Tally {
	t := e.tally
	e.tally = Tally{}
	return t
}

// Totals are what an Engine holds, and what it could not keep so far.
type Totals struct {
	Collectives, Spans  int    // held
	Forgotten           uint64 // communicators, clocks and processes, for want of room
	AttributesDropped   uint64 // of resources
	ClocksSet           uint64 // clocks that were found to have been set
	CollectivesRejected uint64 // that contradict themselves on one clock
}

// Totals returns them as of now.
func (e *Engine) Totals() Totals {
	return Totals{
		Collectives:         e.store.Collectives(),
		Spans:               e.store.Reports(),
		Forgotten:           e.judge.Forgotten() + e.reader.Forgotten(),
		AttributesDropped:   e.reader.DroppedAttributes(),
		ClocksSet:           e.judge.Clocks().Resets(),
		CollectivesRejected: e.judge.Clocks().Rejected(),
	}
}
