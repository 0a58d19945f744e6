package stall

import (
	"slices"
	"sort"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/window"
)

// maxDisorder is how many later stalls of its thread a stall may come after. One
// that is older is refused: it would cost too much to make room for.
const maxDisorder = 1024

// series is the stalls of one thread by their end. A thread's cycles follow each
// other, so that this is also the order of their starts.
type series struct {
	thread Thread
	stalls []stored // [head:] are live
	head   int
}

// stored is a stall and how many requests its trace has been linked to.
type stored struct {
	Stall
	links uint32
}

func (s *series) live() []stored { return s.stalls[s.head:] }

// insert puts a stall where it belongs.
func (s *series) insert(added *Stall) outcome {
	live := s.live()
	at := len(live)
	for at > 0 && live[at-1].End > added.End {
		if len(live)-at >= maxDisorder {
			return refusedDisorder
		}
		at--
	}
	for i := at - 1; i >= 0 && live[i].End == added.End; i-- {
		if live[i].Trace == added.Trace && live[i].Root == added.Root {
			return duplicate
		}
	}
	s.stalls = slices.Insert(s.stalls, s.head+at, stored{Stall: *added})
	return inserted
}

// pop removes the stall that ended first and returns its size.
func (s *series) pop() int64 {
	size := s.stalls[s.head].size()
	s.stalls[s.head] = stored{} // lets go of its text
	s.head++
	if s.head > 64 && s.head > len(s.stalls)/2 {
		s.stalls = slices.Delete(s.stalls, 0, s.head)
		s.head = 0
	}
	return size
}

// after returns the index of the first live stall that ends after t.
func (s *series) after(t window.Time) int {
	live := s.live()
	return sort.Search(len(live), func(i int) bool { return live[i].End > t })
}
