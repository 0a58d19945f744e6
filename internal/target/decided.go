package target

import "container/list"

// decisions remembers, for a bounded number of files, that they are not to be
// looked at again, or not now; the file that has not been asked about for
// longest is forgotten first.
type decisions struct {
	capacity int
	order    *list.List // of decision, most recently used first
	byFile   map[FileID]*list.Element
	evicted  uint64
}

type decision struct {
	file     FileID
	final    bool
	failures uint // attempts to open it, while not final
	skip     uint // times that it is not to be looked at, while not final
}

// maxBackoff bounds the doublings of decision.skip. It never becomes final: the
// next process that maps the file may let us open it.
const maxBackoff = 10

// postpone makes the file wait, longer after each failure.
func (d *decision) postpone() {
	d.failures = min(d.failures+1, maxBackoff)
	d.skip = 1<<d.failures - 1
}

func newDecisions(capacity int) *decisions {
	return &decisions{capacity: capacity, order: list.New(), byFile: make(map[FileID]*list.Element)}
}

// look reports whether to look at file, and why not.
func (d *decisions) look(file FileID) verdict {
	element, known := d.byFile[file]
	if !known {
		return undecided
	}
	d.order.MoveToFront(element)
	decided := element.Value.(*decision)
	switch {
	case decided.final:
		return final
	case decided.skip > 0:
		decided.skip--
		return postponed
	default:
		return undecided
	}
}

// verdict is what decisions know of a file.
type verdict uint8

const (
	undecided verdict = iota
	postponed
	final
)

// at returns the decision about file, a new one if need be. It is valid until
// the next call.
func (d *decisions) at(file FileID) *decision {
	if element, known := d.byFile[file]; known {
		d.order.MoveToFront(element)
		return element.Value.(*decision)
	}
	if d.order.Len() >= d.capacity {
		oldest := d.order.Back()
		delete(d.byFile, d.order.Remove(oldest).(*decision).file)
		d.evicted++
	}
	fresh := &decision{file: file}
	d.byFile[file] = d.order.PushFront(fresh)
	return fresh
}

func (d *decisions) forget(file FileID) {
	if element, known := d.byFile[file]; known {
		d.order.Remove(element)
		delete(d.byFile, file)
	}
}
