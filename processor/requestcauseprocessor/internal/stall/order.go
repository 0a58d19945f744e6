package stall

import "slices"

// order is the lists of the stored stalls, in the order in which these came.
// Each stall has one entry; which of its list it was for does not matter, for
// what goes first from a list is what began first.
type order struct {
	entries []*place
	head    int
}

// place is where a process's stalls are. When lists are put together, the places
// of both lead to what has become of them.
type place struct {
	*list
}

func (o *order) push(p *place) { o.entries = append(o.entries, p) }

func (o *order) front() *place {
	if o.len() == 0 {
		return nil
	}
	return o.entries[o.head]
}

func (o *order) pop() *place {
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
