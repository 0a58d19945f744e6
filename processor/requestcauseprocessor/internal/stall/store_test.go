package stall

import (
	"cmp"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/process"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/window"
)

const second = window.Time(time.Second)

func roomy() Settings {
	return Settings{Retention: time.Hour, MaxBytes: 1 << 30, MaxThreads: 1000}
}

// at is a stall of thread tid, numbered so that it is like no other.
func at(n int, tid int64, start, end window.Time) *Stall {
	s := &Stall{Window: window.Window{Start: start, End: end}, TID: tid, Kind: "stall"}
	binary.BigEndian.PutUint64(s.Trace[:], uint64(n)+1)
	binary.BigEndian.PutUint64(s.Root[:], uint64(n)+1)
	return s
}

func visited(s *Store, q Query) []Stall {
	var found []Stall
	s.Visit(q, func(e *Entry) bool {
		found = append(found, e.Record.Stall)
		return true
	})
	return found
}

func TestVisitFindsWhatOverlaps(t *testing.T) {
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 0))
		store, all := NewStore(roomy()), []Stall(nil)
		type owned struct {
			of process.ID
			Stall
		}
		var added []owned
		for thread := range 6 {
			of, clock := process.ID(thread%3+1), window.Time(0)
			for n := range random.IntN(60) {
				clock += window.Time(random.IntN(20))
				s := at(thread*1000+n, int64(thread+10), clock, clock+1+window.Time(random.IntN(15)))
				clock = s.End
				added = append(added, owned{of, *s})
			}
		}
		random.Shuffle(len(added), func(i, j int) { added[i], added[j] = added[j], added[i] })
		for i := range added {
			store.Add(added[i].of, &added[i].Stall, 1000)
			if seed%2 == 0 && i%20 == 10 {
				store.Unite([]process.ID{1, process.ID(2 + random.IntN(2))})
			}
		}
		q := Query{Processes: []process.ID{1, 3}, Window: window.Window{Start: 100, End: 300}}
		if seed%3 == 0 {
			q.TID = 12
		}
		for i := range added {
			mine := slices.Contains(q.Processes, added[i].of) && (q.TID == 0 || q.TID == added[i].TID)
			if mine && !added[i].And(q.Window).Empty() {
				all = append(all, added[i].Stall)
			}
		}
		found := visited(store, q)
		require.True(t, slices.IsSortedFunc(found, func(a, b Stall) int { return cmp.Compare(a.Start, b.Start) }))
		require.ElementsMatch(t, all, found, "seed %d", seed)
	}
}

func TestVisitStops(t *testing.T) {
	store := NewStore(roomy())
	for n := range 10 {
		store.Add(1, at(n, 5, window.Time(n*10), window.Time(n*10+5)), 100)
	}
	seen := 0
	store.Visit(Query{Processes: []process.ID{1}, Window: window.Window{Start: 0, End: 100}}, func(*Entry) bool {
		seen++
		return seen < 3
	})
	assert.Equal(t, 3, seen)
}

func TestSameStallIsStoredOnce(t *testing.T) {
	store := NewStore(roomy())
	store.Add(1, at(1, 5, 10, 20), 30)
	store.Add(1, at(1, 5, 10, 20), 30)
	store.Add(1, at(2, 5, 12, 20), 30)
	assert.Equal(t, 2, store.Len())
	assert.Equal(t, uint64(1), store.Stats().Duplicates)
}

func TestOldStallsAreForgotten(t *testing.T) {
	settings := roomy()
	settings.Retention = 10 * time.Second
	store := NewStore(settings)
	for n := range 20 {
		end := window.Time(n+1) * second
		store.Add(1, at(n, int64(5+n%2), end-1, end), end)
	}
	assert.Equal(t, 11, store.Len(), "from 10 s to 20 s")
	assert.Equal(t, uint64(9), store.Stats().EvictedAge)
	store.Advance(100 * second)
	assert.Zero(t, store.Len())
	assert.Zero(t, store.Threads())
	assert.Zero(t, store.Bytes())
	assert.Empty(t, store.places)
	store.Add(1, at(99, 5, 1, 2), 200*second)
	store.Add(1, at(99, 5, 400*second, 500*second), 200*second)
	assert.Equal(t, uint64(2), store.Stats().RefusedTime, "one too old, one of a time to come")
	assert.Zero(t, store.Len())
}

func TestBytesAreBounded(t *testing.T) {
	settings := roomy()
	settings.MaxBytes = 100 * (recordBytes + 10)
	store := NewStore(settings)
	for n := range 1000 {
		s := at(n, int64(n%7+1), window.Time(n*10), window.Time(n*10+5))
		s.Summary = "0123456789"
		store.Add(process.ID(n%3), s, window.Time(n*10))
		require.LessOrEqual(t, store.Bytes(), settings.MaxBytes)
	}
	assert.Equal(t, 100, store.Len())
	assert.Equal(t, uint64(900), store.Stats().EvictedBytes)
	found := visited(store, Query{Processes: []process.ID{0, 1, 2}, Window: window.Window{Start: 0, End: 1e6}})
	require.Len(t, found, 100)
	assert.Equal(t, window.Time(9000), found[0].Start, "what came first went first")
}

func TestThreadsAreBounded(t *testing.T) {
	settings := roomy()
	settings.MaxThreads = 3
	store := NewStore(settings)
	for n := range 5 {
		store.Add(1, at(n, int64(n+1), 10, 20), 30)
	}
	assert.Equal(t, 3, store.Threads())
	assert.Equal(t, uint64(2), store.Stats().RefusedThreads)
	assert.True(t, store.Has(Thread{Process: 1, TID: 3}))
	assert.False(t, store.Has(Thread{Process: 1, TID: 4}))
}

func TestDisorderIsBounded(t *testing.T) {
	store := NewStore(roomy())
	const last = maxDisorder + 10
	for n := range last {
		store.Add(1, at(n, 5, window.Time(n+10), window.Time(n+11)), last)
	}
	store.Add(1, at(last+1, 5, 20, 21), last)
	assert.Equal(t, last+1, store.Len())
	store.Add(1, at(last+2, 5, 5, 6), last)
	assert.Equal(t, last+1, store.Len())
	assert.Equal(t, uint64(1), store.Stats().RefusedDisorder)
}

func TestStallsThatBeganTogetherAreBounded(t *testing.T) {
	store := NewStore(roomy())
	for n := range 3 * maxTogether {
		store.Add(1, at(n, 5, 10, window.Time(n+11)), 30)
	}
	assert.Equal(t, maxTogether, store.Len())
	assert.Equal(t, uint64(2*maxTogether), store.Stats().RefusedDisorder)
	store.Add(1, at(0, 5, 10, 11), 30)
	assert.Equal(t, uint64(1), store.Stats().Duplicates, "all of them are looked at")
	store.Add(1, at(3*maxTogether, 5, 11, 12), 30)
	assert.Equal(t, maxTogether+1, store.Len(), "others have room")
}

func TestLinksOfAStallAreBounded(t *testing.T) {
	store := NewStore(roomy())
	store.Add(1, at(1, 5, 10, 20), 30)
	granted := 0
	for range 5 {
		store.Visit(Query{Processes: []process.ID{1}, Window: window.Window{Start: 0, End: 100}}, func(e *Entry) bool {
			if e.Record.Link(3) {
				granted++
			}
			return true
		})
	}
	assert.Equal(t, 3, granted)
}

// TestStoreStaysConsistent adds, evicts and unites at random and counts again
// from the stored stalls what the store counts as it goes.
func TestStoreStaysConsistent(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	store := NewStore(Settings{Retention: 5 * time.Second, MaxBytes: 200 * recordBytes, MaxThreads: 8})
	now := window.Time(0)
	for n := range 20_000 {
		now += window.Time(random.IntN(int(20 * time.Millisecond)))
		end := now - window.Time(random.IntN(int(time.Second)))
		store.Add(process.ID(random.IntN(4)), at(n, int64(random.IntN(4)+1), end-window.Time(random.IntN(1e6)+1), end), now)
		switch random.IntN(200) {
		case 0:
			store.Unite([]process.ID{process.ID(random.IntN(4)), process.ID(random.IntN(4))})
		case 1:
			now += window.Time(5 * time.Second)
		}
	}
	lists := make(map[*list]bool)
	for _, at := range store.places {
		lists[at.list] = true
	}
	stalls, bytes, threads := 0, int64(0), make(map[Thread]int)
	for l := range lists {
		require.True(t, slices.IsSortedFunc(l.live(), func(a, b Entry) int { return cmp.Compare(a.Start, b.Start) }))
		require.True(t, slices.IsSortedFunc(l.live(), func(a, b Entry) int { return cmp.Compare(a.reach, b.reach) }))
		stalls += len(l.live())
		for _, e := range l.live() {
			require.GreaterOrEqual(t, e.reach, e.End)
			bytes += e.Record.size()
			threads[e.Record.Thread]++
		}
	}
	stats := store.Stats()
	assert.Equal(t, store.Len(), stalls)
	assert.Equal(t, store.Bytes(), bytes)
	assert.Equal(t, store.threads, threads)
	assert.Equal(t, stats.Stored, uint64(store.Len())+stats.EvictedAge+stats.EvictedBytes)
	assert.Positive(t, stats.EvictedBytes)
	assert.Positive(t, stats.EvictedAge)
}

func TestUnitingChangesNoAnswer(t *testing.T) {
	apart, together := NewStore(roomy()), NewStore(roomy())
	random := rand.New(rand.NewPCG(1, 1))
	together.Unite([]process.ID{1, 2}) // of which nothing is known yet
	for n := range 500 {
		start := window.Time(random.IntN(1000))
		s := at(n, int64(random.IntN(3)+1), start, start+1+window.Time(random.IntN(100)))
		of := process.ID(random.IntN(5) + 1)
		apart.Add(of, s, 2000)
		together.Add(of, s, 2000)
		if n%50 == 0 {
			together.Unite([]process.ID{process.ID(random.IntN(5) + 1), process.ID(random.IntN(5) + 1), 9})
		}
	}
	for range 200 {
		from := window.Time(random.IntN(1000))
		q := Query{Window: window.Window{Start: from, End: from + window.Time(random.IntN(200))}, Processes: []process.ID{2, 4, 9}}
		require.ElementsMatch(t, visited(apart, q), visited(together, q))
	}
}

func TestLabelsAreBounded(t *testing.T) {
	store := NewStore(roomy())
	for n := range 2 * maxLabels {
		s := at(n, 5, window.Time(n), window.Time(n+1))
		s.Cause = strconv.Itoa(n)
		store.Add(1, s, window.Time(2*maxLabels))
	}
	names := make(map[string]int)
	store.Visit(Query{Processes: []process.ID{1}, Window: window.Window{Start: 0, End: 1e6}}, func(e *Entry) bool {
		names[store.Name(e.Label)]++
		return true
	})
	assert.Len(t, names, maxLabels-1, "the kind has a label, too")
	assert.Equal(t, maxLabels+2, names[otherName])
}

func BenchmarkVisit(b *testing.B) {
	store := NewStore(roomy())
	for n := range 20_000 {
		start := window.Time(n) * 1000
		store.Add(process.ID(n%8), at(n, int64(n%8+1), start, start+7000), 1e9)
	}
	all := []process.ID{0, 1, 2, 3, 4, 5, 6, 7}
	run := func(b *testing.B) {
		for b.Loop() {
			n := 0
			store.Visit(Query{Processes: all, Window: window.Window{Start: 5e6, End: 7.5e6}}, func(*Entry) bool { n++; return true })
			b.ReportMetric(float64(n), "stalls/op")
		}
	}
	b.Run("apart", run)
	store.Unite(all)
	b.Run("united", run)
}
