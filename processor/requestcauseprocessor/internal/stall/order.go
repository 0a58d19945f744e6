package stall

import "slices"

// order is the series of the stored stalls, in the order in which these came.
// Each stall has one entry; which of its series it was for does not matter, for
// what goes first from a series is what ended first.
type order struct {
	entries []*series
	head    int
}

func (o *order) push(s *series) { o.entries = append(o.entries, s) }

func (o *order) front() *series {
	if o.len() == 0 {
		return nil
	}
	return o.entries[o.head]
}

func (o *order) pop() *series {
	first := o.entries[o.head]
	o.entries[o.head] = nil
	o.head++
	if o.head > 1024 && o.head > len(o.entries)/2 {
		o.entries = slices.Delete(o.entries, 0, o.head)
		o.head = 0
	}
	return first
}

func (o *order) len() int { return len(o.entries) - o.head }
