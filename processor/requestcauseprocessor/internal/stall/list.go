package stall

import (
	"cmp"
	"slices"
	"sort"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/process"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/window"
)

// maxDisorder is how many later stalls of its list a stall may come after. One
// that is older is refused: it would cost too much to make room for.
const maxDisorder = 1 << 16

// maxTogether is how many stalls of a list may begin at the same nanosecond. For
// each that comes they are all looked at; one more is refused.
const maxTogether = 1 << 10

// list is the stalls of some processes by their start.
type list struct {
	of      []process.ID // whose stalls come here
	entries []Entry      // [head:] are live
	head    int
}

// Entry is a stored stall, with what is looked at when many are. It is valid
// while it is visited.
type Entry struct {
	window.Window
	// reach is the latest end of this stall and all before it, so that it rises
	// along the list, as the ends need not.
	reach  window.Time
	Record *Record
	// Process is whose stall it is, Label its name among the Store's labels, and
	// Over how much of the cycle is more than what is typical, 0 to 1.
	Process process.ID
	Over    float32
	Label   Label
}

// Record is a stored stall. It stays as it is when the stall is forgotten.
type Record struct {
	Stall
	Thread Thread
	links  uint32
}

func newEntry(r *Record, label Label) Entry {
	e := Entry{Window: r.Window, Record: r, Process: r.Thread.Process, Label: label}
	if took := r.Duration(); took > 0 {
		e.Over = float32(float64(r.Excess()) / float64(took))
	}
	return e
}

// Link takes one of the links that a stall's trace may have, of most. It
// reports false where there is none left.
func (r *Record) Link(most uint32) bool {
	if r.links >= most {
		return false
	}
	r.links++
	return true
}

func (r *Record) is(other *Record) bool { return r.Trace == other.Trace && r.Root == other.Root }

func (l *list) live() []Entry { return l.entries[l.head:] }

// insert puts a stall where it belongs, behind those that began with it.
func (l *list) insert(added Entry) outcome {
	live := l.live()
	at := sort.Search(len(live), func(i int) bool { return live[i].Start > added.Start })
	if len(live)-at > maxDisorder {
		return refusedDisorder
	}
	for i := at - 1; i >= 0 && live[i].Start == added.Start; i-- {
		if live[i].Record.is(added.Record) {
			return duplicate
		}
		if at-i >= maxTogether {
			return refusedDisorder
		}
	}
	l.entries = slices.Insert(l.entries, l.head+at, added)
	l.extend(at)
	return inserted
}

// extend makes reach right from an entry on.
func (l *list) extend(from int) {
	live := l.live()
	for i := from; i < len(live); i++ {
		reach := live[i].End
		if i > 0 {
			reach = max(reach, live[i-1].reach)
		}
		if live[i].reach == reach {
			return
		}
		live[i].reach = reach
	}
}

// pop removes the stall that began first and returns it.
func (l *list) pop() *Record {
	first := l.entries[l.head].Record
	l.entries[l.head] = Entry{}
	l.head++
	if l.head > 64 && l.head > len(l.entries)/2 {
		l.entries = slices.Delete(l.entries, 0, l.head)
		l.head = 0
	}
	return first
}

// from returns the first live stall that may end after t.
func (l *list) from(t window.Time) int {
	live := l.live()
	return sort.Search(len(live), func(i int) bool { return live[i].reach > t })
}

// absorb takes over what is in another list.
func (l *list) absorb(other *list) {
	l.of = append(l.of, other.of...)
	l.entries = slices.Concat(l.live(), other.live())
	l.head = 0
	slices.SortStableFunc(l.entries, func(a, b Entry) int { return cmp.Compare(a.Start, b.Start) })
	for i := range l.entries {
		l.entries[i].reach = 0
	}
	l.extend(0)
	other.entries, other.head = nil, 0
}
