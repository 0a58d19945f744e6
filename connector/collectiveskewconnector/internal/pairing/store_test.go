package pairing

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/collective"
)

var epoch = time.Unix(1_700_000_000, 0)

func at(d time.Duration) time.Time { return epoch.Add(d) }

// bench is a store with what it handed out.
type bench struct {
	*Store
	done    []*collective.Collective
	reasons []Reason
}

func newBench(change func(*Settings)) *bench {
	settings := Settings{TTL: 30 * time.Second, MaxCollectives: 100, MaxReports: 1000, MaxRanks: 512}
	if change != nil {
		change(&settings)
	}
	b := &bench{}
	b.Store = NewStore(settings, func(c *collective.Collective, reason Reason) {
		b.done, b.reasons = append(b.done, c), append(b.reasons, reason)
	})
	return b
}

// report is what a rank reports of the collective of that number.
func report(number uint32, rank, size int32) *collective.Report {
	return &collective.Report{
		Trace: pcommon.TraceID{byte(number >> 16), byte(number >> 8), byte(number), 1},
		Key:   collective.Key{Communicator: "c", Sequence: int64(number) + 1, Size: size},
		Call:  collective.Call{Operation: collective.AllReduce},
		Rank:  collective.Rank{Number: rank, Enqueue: 1_700_000_000_000_000_000},
	}
}

func TestCompleteIsHandedOutAtOnce(t *testing.T) {
	b := newBench(nil)
	for _, rank := range []int32{2, 0, 1} {
		assert.Equal(t, Paired, b.Add(at(0), report(1, rank, 3)))
	}
	require.Len(t, b.done, 1)
	assert.Equal(t, []Reason{Complete}, b.reasons)
	for i := range b.done[0].Ranks {
		assert.EqualValues(t, i, b.done[0].Ranks[i].Number, "in order")
	}
	assert.Zero(t, b.Collectives())
	assert.Zero(t, b.Reports())
	assert.Equal(t, Late, b.Add(at(0), report(1, 1, 3)))
}

func TestOfDuplicatesTheFirstCounts(t *testing.T) {
	b := newBench(nil)
	first, again := report(1, 0, 2), report(1, 0, 2)
	again.Rank.Enqueue++
	b.Add(at(0), first)
	assert.Equal(t, Duplicate, b.Add(at(0), again))
	b.Add(at(0), report(1, 1, 2))
	assert.Equal(t, first.Rank.Enqueue, b.done[0].Ranks[0].Enqueue)
}

// ending is a report that says whether the rank saw the collective complete.
func ending(rank int32, end collective.Completion, flags collective.Flags) *collective.Report {
	r := report(1, rank, 2)
	r.Rank.End, r.Rank.Flags = end, flags
	return r
}

// A rank that did not see the collective complete may report it once more.
func TestReportsOfCompletionReplaceOthers(t *testing.T) {
	const pending, seen = collective.CompletionPending, collective.CompletionSeen
	b := newBench(nil)
	assert.Equal(t, Paired, b.Add(at(0), ending(0, pending, 0)))
	assert.Equal(t, Duplicate, b.Add(at(0), ending(0, pending, 0)))
	assert.Equal(t, Duplicate, b.Add(at(0), ending(0, collective.CompletionUnknown, 0)))
	assert.Equal(t, Paired, b.Add(at(0), ending(1, pending, 0)))
	assert.Empty(t, b.done, "they may see it complete yet")
	assert.Equal(t, Updated, b.Add(at(0), ending(1, seen, collective.HasWait)))
	assert.Equal(t, Duplicate, b.Add(at(0), ending(1, seen, 0)))
	assert.Equal(t, 2, b.Reports())
	assert.Equal(t, Updated, b.Add(at(0), ending(0, seen, 0)))
	require.Len(t, b.done, 1)
	assert.Equal(t, Complete, b.reasons[0])
	assert.True(t, b.done[0].Ranks[1].Is(collective.HasWait))
	assert.Zero(t, b.Reports())
	assert.Equal(t, Late, b.Add(at(0), ending(0, seen, 0)))
}

// Whoever does not see it complete holds it no longer than a rank that does not report.
func TestWhatDoesNotCompleteIsHandedOut(t *testing.T) {
	b := newBench(nil)
	b.Add(at(0), ending(0, collective.CompletionPending, 0))
	b.Add(at(0), ending(1, collective.CompletionSeen, 0))
	b.Expire(at(29 * time.Second))
	assert.Empty(t, b.done)
	b.Expire(at(30 * time.Second))
	assert.Equal(t, []Reason{Complete}, b.reasons)
}

// A failed rank, and ranks that do not agree, keep a collective from completing.
func TestWhatCannotCompleteIsHandedOutAtOnce(t *testing.T) {
	failed := ending(1, collective.CompletionPending, collective.Failed)
	other := ending(1, collective.CompletionPending, 0)
	other.Call.Operation = collective.AllGather
	for _, r := range []*collective.Report{failed, other} {
		b := newBench(nil)
		b.Add(at(0), ending(0, collective.CompletionPending, 0))
		b.Add(at(0), r)
		assert.Equal(t, []Reason{Complete}, b.reasons)
	}
}

func TestTheTimeIsOver(t *testing.T) {
	b := newBench(nil)
	b.Add(at(0), report(1, 0, 2))
	b.Add(at(10*time.Second), report(2, 0, 2))
	b.Add(at(20*time.Second), report(1, 5, 9)) // does not prolong it
	b.Expire(at(29 * time.Second))
	assert.Empty(t, b.done)
	b.Expire(at(30 * time.Second))
	require.Len(t, b.done, 1)
	assert.EqualValues(t, 2, b.done[0].Sequence)
	b.Expire(at(time.Minute))
	assert.Equal(t, []Reason{Expired, Expired}, b.reasons)
	assert.Equal(t, Late, b.Add(at(time.Minute), report(2, 1, 2)))
}

func TestWhatDoesNotBelongThere(t *testing.T) {
	for name, change := range map[string]func(*collective.Report){
		"communicator": func(r *collective.Report) { r.Key.Communicator = "d" },
		"sequence":     func(r *collective.Report) { r.Key.Sequence++ },
		"size":         func(r *collective.Report) { r.Key.Size++ },
		"pair":         func(r *collective.Report) { r.Key.Pair.Is = true },
		"another day":  func(r *collective.Report) { r.Rank.Enqueue = r.Rank.Enqueue.Add(25 * time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(nil)
			b.Add(at(0), report(1, 0, 3))
			wrong := report(1, 1, 3)
			change(wrong)
			assert.Equal(t, Conflicting, b.Add(at(0), wrong))
			assert.Equal(t, 1, b.Reports())
		})
	}
}

func TestLargeCommunicatorsAreRefused(t *testing.T) {
	b := newBench(nil)
	assert.Equal(t, Oversized, b.Add(at(0), report(1, 0, 513)))
	assert.Zero(t, b.Collectives())
}

// TestALyingSizeTakesNoMemory opens collectives of which one rank of very many comes.
func TestALyingSizeTakesNoMemory(t *testing.T) {
	b := newBench(func(s *Settings) { s.MaxRanks, s.MaxCollectives = 1<<30, 1<<20 })
	allocated := testing.AllocsPerRun(1000, func() {
		b.Add(at(0), report(uint32(b.Collectives()), 1<<29, 1<<30))
	})
	assert.Less(t, allocated, 10.0)
	assert.LessOrEqual(t, cap(b.newest.Ranks), 1)
	assert.LessOrEqual(t, cap(b.newest.numbers), 8)
}

func TestPairsAreCompleteWithTwo(t *testing.T) {
	b := newBench(nil)
	for _, rank := range []int32{7, 3} {
		r := report(1, rank, 100)
		r.Key.Pair = collective.Pair{Is: true, Source: 3, Destination: 7}
		assert.Equal(t, Paired, b.Add(at(0), r))
	}
	assert.Equal(t, []Reason{Complete}, b.reasons)
}

func TestTheOldestGoesFirst(t *testing.T) {
	b := newBench(func(s *Settings) { s.MaxCollectives = 2 })
	for number := range uint32(5) {
		b.Add(at(0), report(number, 0, 2))
	}
	require.Len(t, b.done, 3)
	for i, c := range b.done {
		assert.EqualValues(t, i+1, c.Sequence)
		assert.Equal(t, Evicted, b.reasons[i])
	}
}

func TestReportsAreBounded(t *testing.T) {
	b := newBench(func(s *Settings) { s.MaxReports = 512 })
	for number := range uint32(4) {
		for rank := range int32(200) {
			b.Add(at(0), report(number, rank, 512))
			assert.LessOrEqual(t, b.Reports(), 512)
		}
	}
	assert.Equal(t, []Reason{Evicted, Evicted}, b.reasons)
}

func TestCloseHandsOutEverything(t *testing.T) {
	b := newBench(nil)
	b.Add(at(0), report(1, 0, 2))
	b.Add(at(0), report(2, 0, 2))
	b.Close()
	assert.Equal(t, []Reason{Stopped, Stopped}, b.reasons)
	assert.Nil(t, b.newest)
}

// TestEveryReportIsHandedOutOnce lets reports come in any order, with duplicates,
// while time passes and room is short.
func TestEveryReportIsHandedOutOnce(t *testing.T) {
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 0))
		b := newBench(func(s *Settings) { s.MaxCollectives = 5 + random.IntN(20) })
		counts, paired := [Outcomes]int{}, map[uint32]map[int32]bool{}
		now := time.Duration(0)
		for range 2000 {
			now += time.Duration(random.Int64N(int64(time.Second)))
			number := uint32(now/(5*time.Second)) + uint32(random.IntN(4))
			rank := int32(random.IntN(4))
			r := report(number, rank, 4)
			r.Rank.End = collective.Completion(random.IntN(3))
			outcome := b.Add(at(now), r)
			counts[outcome]++
			if outcome == Paired {
				if paired[number] == nil {
					paired[number] = map[int32]bool{}
				}
				require.False(t, paired[number][rank], "twice")
				paired[number][rank] = true
			}
			if random.IntN(10) == 0 {
				b.Expire(at(now))
			}
		}
		b.Close()
		handedOut, seen := 0, map[int64]bool{}
		for i, c := range b.done {
			require.False(t, seen[c.Sequence], "each collective once")
			seen[c.Sequence] = true
			handedOut += len(c.Ranks)
			require.Equal(t, b.reasons[i] == Complete, len(c.Ranks) == 4)
		}
		assert.Equal(t, counts[Paired], handedOut)
		assert.Equal(t, 2000, counts[Paired]+counts[Updated]+counts[Duplicate]+counts[Late])
		assert.Positive(t, counts[Updated])
		assert.Zero(t, b.Reports())
	}
}
