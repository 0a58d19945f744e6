package roster

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/collective"
)

// note notes that a rank reported a number.
func note(r *Roster, number int64, rank int32, change ...func(*collective.Report)) {
	report := &collective.Report{
		Key:  collective.Key{Communicator: "c", Sequence: number, Size: 6},
		Call: collective.Call{Operation: collective.AllReduce},
		Rank: collective.Rank{Number: rank, End: collective.CompletionPending},
	}
	for _, c := range change {
		c(report)
	}
	r.Note(report)
}

func seen(r *collective.Report)      { r.Rank.End = collective.CompletionSeen }
func sampled(r *collective.Report)   { r.Rank.Flags |= collective.Sampled }
func failed(r *collective.Report)    { r.Rank.Flags |= collective.Failed }
func pair(r *collective.Report)      { r.Key.Pair.Is = true }
func broadcast(r *collective.Report) { r.Call.Operation = collective.Broadcast }

// absent asks who is absent from number 5, to which ranks 0 and 1 came.
func absent(r *Roster) []collective.Range {
	return r.Absent(&collective.Collective{
		Key:   collective.Key{Communicator: "c", Sequence: 5, Size: 6},
		Ranks: []collective.Rank{{Number: 0}, {Number: 1}},
	})
}

func TestOfAnUnknownCommunicatorAllOthersAreAbsent(t *testing.T) {
	assert.Equal(t, []collective.Range{{First: 2, Last: 5}}, absent(New()))
}

func TestRanksThatWentOnAreNotAbsent(t *testing.T) {
	r := New()
	note(r, 6, 3)
	note(r, 4, 4)
	assert.Equal(t, []collective.Range{{First: 2, Last: 2}, {First: 4, Last: 5}}, absent(r))
	assert.EqualValues(t, 6, r.Last("c", 3))
	assert.EqualValues(t, 4, r.Last("c", 4))
	assert.Zero(t, r.Last("c", 5))
	assert.Zero(t, r.Last("d", 3))
}

func TestWhereSomebodyCompletedALaterOneNobodyIs(t *testing.T) {
	r := New()
	note(r, 6, 3, seen)
	assert.Empty(t, absent(r))
}

func TestACompletedBroadcastDoesNotProveThatAllCame(t *testing.T) {
	r := New()
	note(r, 6, 3, seen, broadcast)
	assert.Equal(t, []collective.Range{{First: 2, Last: 2}, {First: 4, Last: 5}}, absent(r))
}

func TestRanksThatNeverReportAreNotNamed(t *testing.T) {
	r := New()
	for _, rank := range []int32{0, 1, 4} {
		note(r, 3, rank, seen, sampled)
	}
	assert.Equal(t, []collective.Range{{First: 4, Last: 4}}, absent(r))
}

func TestWhatSaysNothing(t *testing.T) {
	r := New()
	note(r, 9, 3, pair)
	note(r, 9, 4, failed)
	assert.Equal(t, []collective.Range{{First: 2, Last: 5}}, absent(r))
}

func TestFailedRanksAreAbsent(t *testing.T) {
	c := &collective.Collective{
		Key:   collective.Key{Communicator: "c", Sequence: 5, Size: 3},
		Ranks: []collective.Rank{{Number: 0}, {Number: 1, Flags: collective.Failed}, {Number: 2}},
	}
	assert.Equal(t, []collective.Range{{First: 1, Last: 1}}, New().Absent(c))
}

// TestMemoryIsBounded fills a roster with communicators of few ranks, and of many.
func TestMemoryIsBounded(t *testing.T) {
	for _, ranks := range []int{1, 9, 4096} {
		t.Run(fmt.Sprint(ranks), func(t *testing.T) {
			before, r := heap(), New()
			for i := range 3 * maxBytes / (communicatorBytes + ranks*rankBytes) {
				name := fmt.Sprintf("%064d", i)
				for rank := range ranks {
					note(r, 1, int32(rank), func(report *collective.Report) { report.Key.Communicator = name })
				}
			}
			assert.Positive(t, r.Forgotten())
			held := heap() - before
			t.Logf("%.1f MB", float64(held)/1e6)
			assert.Less(t, held, int64(2*maxBytes))
			runtime.KeepAlive(r)
		})
	}
}

func heap() int64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}
