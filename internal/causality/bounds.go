package causality

// Evicted returns how many threads were forgotten for want of room. Their cycles
// are in the warm-up again: with more threads active than there is room for, none
// leaves it.
func (j *Judge) Evicted() uint64 { return j.evicted }

// Evicted returns how many threads, on a communicator each, were forgotten for want
// of room.
func (a *Arrivals) Evicted() uint64 { return a.judge.Evicted() }
