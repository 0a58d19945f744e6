package stall

import (
	"time"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/process"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/window"
)

// recordBytes is what a stored stall takes besides its summary: the record, its
// place in the order of arrival, and half of that again for room to grow.
const recordBytes = 320

// maxAhead is how far other machines' clocks may be ahead of this one. A stall of
// a time to come would stay until then.
const maxAhead = time.Minute

// Settings bound a Store.
type Settings struct {
	Retention  time.Duration // how long after its end a stall is kept
	MaxBytes   int64
	MaxThreads int
}

// Stats are totals since the Store was made.
type Stats struct {
	Stored          uint64
	Duplicates      uint64 // stalls that came twice
	EvictedAge      uint64 // older than the retention
	EvictedBytes    uint64 // for want of room
	RefusedThreads  uint64 // of threads for which there was no room
	RefusedDisorder uint64 // much older than what its thread had stored already
	RefusedTime     uint64 // older than the retention when they came, or ahead of time
}

// outcome is what became of a stall.
type outcome uint8

const (
	inserted outcome = iota
	duplicate
	refusedDisorder
)

// Store remembers stalls. It is for one goroutine.
type Store struct {
	settings Settings
	threads  map[Thread]*series
	of       map[process.ID][]*series
	order    order
	bytes    int64
	stats    Stats
	merge    merge
}

// NewStore returns an empty Store.
func NewStore(settings Settings) *Store {
	return &Store{settings: settings, threads: make(map[Thread]*series), of: make(map[process.ID][]*series)}
}

// Add stores a stall of a process. What has no room is counted, and so is what
// has to go for it.
func (s *Store) Add(of process.ID, stall *Stall, now window.Time) {
	s.Advance(now)
	if stall.End < now.Add(-s.settings.Retention) || stall.End > now.Add(maxAhead) {
		s.stats.RefusedTime++
		return
	}
	found, ok := s.seriesOf(Thread{Process: of, TID: stall.TID})
	if !ok {
		s.stats.RefusedThreads++
		return
	}
	s.count(found.insert(stall), found, stall)
	for s.bytes > s.settings.MaxBytes {
		s.evict()
		s.stats.EvictedBytes++
	}
}

func (s *Store) count(what outcome, in *series, stall *Stall) {
	switch what {
	case duplicate:
		s.stats.Duplicates++
	case refusedDisorder:
		s.stats.RefusedDisorder++
	default:
		s.stats.Stored++
		s.bytes += stall.size()
		s.order.push(in)
	}
}

func (s *Store) seriesOf(thread Thread) (*series, bool) {
	if found, ok := s.threads[thread]; ok {
		return found, true
	}
	if len(s.threads) >= s.settings.MaxThreads {
		return nil, false
	}
	added := &series{thread: thread}
	s.threads[thread] = added
	s.of[thread.Process] = append(s.of[thread.Process], added)
	return added, true
}

// Advance forgets the stalls that are older than the retention.
func (s *Store) Advance(now window.Time) {
	oldest := now.Add(-s.settings.Retention)
	for {
		next := s.order.front()
		if next == nil || next.live()[0].End >= oldest {
			return
		}
		s.evict()
		s.stats.EvictedAge++
	}
}

// evict forgets one stall of the thread whose stall came first.
func (s *Store) evict() {
	from := s.order.pop()
	s.bytes -= from.pop()
	if len(from.live()) == 0 {
		s.drop(from)
	}
}

func (s *Store) drop(empty *series) {
	delete(s.threads, empty.thread)
	siblings := s.of[empty.thread.Process]
	for i, sibling := range siblings {
		if sibling == empty {
			siblings = append(siblings[:i], siblings[i+1:]...)
			break
		}
	}
	if len(siblings) == 0 {
		delete(s.of, empty.thread.Process)
		return
	}
	s.of[empty.thread.Process] = siblings
}

// Has reports whether a stall of that thread is stored.
func (s *Store) Has(thread Thread) bool { return s.threads[thread] != nil }

// Len returns how many stalls are stored.
func (s *Store) Len() int { return s.order.len() }

// Threads returns of how many threads stalls are stored.
func (s *Store) Threads() int { return len(s.threads) }

// Bytes returns about how many bytes the stalls take.
func (s *Store) Bytes() int64 { return s.bytes }

// Stats returns the totals.
func (s *Store) Stats() Stats { return s.stats }
