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
	RefusedDisorder uint64 // much older than what its thread had stored already, or one of too many that began together
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
	places   map[process.ID]*place
	threads  map[Thread]int // how many stalls are stored of each
	order    order
	labels   labels
	bytes    int64
	stats    Stats
}

// NewStore returns an empty Store.
func NewStore(settings Settings) *Store {
	return &Store{
		settings: settings, labels: newLabels(),
		places: make(map[process.ID]*place), threads: make(map[Thread]int),
	}
}

// Add stores a stall of a process. What has no room is counted, and so is what
// has to go for it.
func (s *Store) Add(of process.ID, stall *Stall, now window.Time) {
	s.Advance(now)
	record := &Record{Stall: *stall, Thread: Thread{Process: of, TID: stall.TID}}
	switch {
	case stall.End < now.Add(-s.settings.Retention) || stall.End > now.Add(maxAhead):
		s.stats.RefusedTime++
		return
	case len(s.threads) >= s.settings.MaxThreads && !s.Has(record.Thread):
		s.stats.RefusedThreads++
		return
	}
	s.insert(record)
	for s.bytes > s.settings.MaxBytes {
		s.evict()
		s.stats.EvictedBytes++
	}
}

func (s *Store) insert(record *Record) {
	at, ok := s.places[record.Thread.Process]
	if !ok {
		at = &place{list: &list{of: []process.ID{record.Thread.Process}}}
		s.places[record.Thread.Process] = at
	}
	label := s.labels.intern(&record.Stall)
	switch at.insert(newEntry(record, label)) {
	case duplicate:
		s.stats.Duplicates++
	case refusedDisorder:
		s.stats.RefusedDisorder++
	default:
		s.stats.Stored++
		s.threads[record.Thread]++
		s.bytes += record.size()
		s.order.push(at)
	}
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

// evict forgets one stall of the list whose stall came first.
func (s *Store) evict() {
	from := s.order.pop()
	gone := from.pop()
	s.bytes -= gone.size()
	if s.threads[gone.Thread]--; s.threads[gone.Thread] == 0 {
		delete(s.threads, gone.Thread)
	}
	if len(from.live()) == 0 {
		for _, id := range from.of {
			delete(s.places, id)
		}
	}
}

// Unite keeps the stalls of processes together from now on, which makes it
// cheaper to ask for all of them at once. It changes no answer.
func (s *Store) Unite(processes []process.ID) {
	var into *place
	for _, id := range processes {
		at, ok := s.places[id]
		switch {
		case !ok:
		case into == nil:
			into = at
		case into.list != at.list:
			s.unite(into, at)
		}
	}
}

func (s *Store) unite(into, from *place) {
	gone := from.list
	for _, id := range gone.of {
		s.places[id].list = into.list
	}
	into.absorb(gone)
}

// Has reports whether a stall of that thread is stored.
func (s *Store) Has(thread Thread) bool { return s.threads[thread] > 0 }

// Name returns what a label of this Store stands for.
func (s *Store) Name(l Label) string { return s.labels.names[l] }

// Len returns how many stalls are stored.
func (s *Store) Len() int { return s.order.len() }

// Threads returns of how many threads stalls are stored.
func (s *Store) Threads() int { return len(s.threads) }

// Bytes returns about how many bytes the stalls take.
func (s *Store) Bytes() int64 { return s.bytes }

// Stats returns the totals.
func (s *Store) Stats() Stats { return s.stats }
