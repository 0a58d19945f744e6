package core

import (
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/stall"
)

// Stats are figures for the component's own metrics: totals, and what is known now.
type Stats struct {
	Stalls stall.Stats
	// OtherKinds are cycles that are not stalls by their kind, and Unidentified
	// stalls of which the process is not known.
	OtherKinds, Unidentified uint64

	ProcessesEvicted  uint64
	AttributesOmitted uint64 // of the processes' resources
	NeighboursEvicted uint64

	StallsKept     int
	BytesKept      int64
	ThreadsKept    int
	ProcessesKnown int
	RequestsKept   int
}

// Stats returns the figures.
func (c *Core) Stats() Stats {
	return Stats{
		Stalls: c.stalls.Stats(), OtherKinds: c.otherKinds, Unidentified: c.unidentified,
		ProcessesEvicted: c.processes.Evicted(), AttributesOmitted: c.processes.Omitted(), NeighboursEvicted: c.neighbours.Evicted(),
		StallsKept: c.stalls.Len(), BytesKept: c.stalls.Bytes(), ThreadsKept: c.stalls.Threads(),
		ProcessesKnown: c.processes.Len(), RequestsKept: c.neighbours.Len(),
	}
}
