package target

import "container/list"

// decisions remembers, for a bounded number of files, that they are not to be
// looked at again; the file that has not been asked about for longest is
// forgotten first.
type decisions struct {
	capacity int
	order    *list.List // of decision, most recently used first
	byFile   map[FileID]*list.Element
	evicted  uint64
}

type decision struct {
	file     FileID
	final    bool
	failures int // attempts to open it, while not final
}

func newDecisions(capacity int) *decisions {
	return &decisions{capacity: capacity, order: list.New(), byFile: make(map[FileID]*list.Element)}
}

// isFinal reports whether file has been decided.
func (d *decisions) isFinal(file FileID) bool {
	element, known := d.byFile[file]
	if !known {
		return false
	}
	d.order.MoveToFront(element)
	return element.Value.(*decision).final
}

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
