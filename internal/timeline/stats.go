package timeline

// Stats is what a Timeline holds now, and every loss since New.
type Stats struct {
	Threads   int // with state
	Processes int // known
	Intervals int // kept for look-ups
	Pending   int // trees and cycles held back until they settle
	Held      int // trees that wait for the record of their cycle

	Trees          uint64 // emitted, those in cycles not counted
	Cycles         uint64 // emitted
	TreesDiscarded uint64 // trees in no recorded cycle: it was too short
	TreesDropped   uint64 // trees of a cycle that has too many
	OffCPUDropped  uint64 // intervals outside of calls of a cycle that has too many; look-ups still see them
	OrphanTrees    uint64 // calls that became their own root because their enclosing call's record never came
	Reattached     uint64 // records attached to the nearest enclosing call whose record did come
	OrphanOffCPU   uint64 // off-CPU intervals whose call's record never came; look-ups still see them
	PartsDropped   uint64 // off-CPU intervals left out of a tree that is too large; its calls' totals stay exact
	PendingDropped uint64 // trees and cycles for which there was no room
	Refused        uint64 // records of threads for which there was no room
	Evicted        uint64 // intervals dropped from look-ups before their time
	Malformed      uint64 // records that end before they begin
}

// Stats returns the current figures.
func (t *Timeline) Stats() Stats {
	s := t.stats
	s.Threads = t.threads
	s.Processes = len(t.processes)
	s.Intervals = t.intervals
	s.Pending = len(t.pending)
	s.Held = t.held
	return s
}
