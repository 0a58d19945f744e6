package join

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

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/group"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/process"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/request"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/stall"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/window"
)

const ms = window.Time(time.Millisecond)

func span(from, to window.Time) window.Window { return window.Window{Start: from * ms, End: to * ms} }

// store has stalls of process 1; each one has a cause.
func storeOf(stalls ...stall.Stall) *stall.Store {
	store := stall.NewStore(stall.Settings{Retention: time.Hour, MaxBytes: 1 << 30, MaxThreads: 100})
	for n := range stalls {
		s := &stalls[n]
		binary.BigEndian.PutUint64(s.Trace[:], uint64(n)+1)
		binary.BigEndian.PutUint64(s.Root[:], uint64(n)+1)
		if s.TID == 0 {
			s.TID = 10
		}
		store.Add(process.ID(1), s, 10_000*ms)
	}
	return store
}

func stallOf(cause string, from, to window.Time) stall.Stall {
	return stall.Stall{Window: span(from, to), Cause: cause, Kind: "stall"}
}

func requestOf(from, to window.Time) *request.Request {
	return &request.Request{Window: span(from, to), Served: span(from, to)}
}

func everything() *group.Decision {
	return &group.Decision{Outcome: group.Resolved, Members: []process.ID{1, 2}}
}

func selector() *Selector {
	return NewSelector(Settings{Top: 20, MinOverlap: 2 * time.Millisecond, MaxLooked: 10_000})
}

func TestStallsAreCutToTheRequest(t *testing.T) {
	store := storeOf(
		stallOf("io", 50, 99), stallOf("lock", 90, 130), stallOf("io", 150, 160), stallOf("gpu_busy", 190, 500), stallOf("io", 600, 700),
	)
	got := selector().Select(store, requestOf(100, 200), everything())
	var seen []window.Window
	for _, hit := range got.Hits {
		seen = append(seen, hit.Overlap)
	}
	assert.Equal(t, []window.Window{span(100, 130), span(150, 160), span(190, 200)}, seen)
	assert.Equal(t, "lock", got.Hits[0].Label())
	assert.Equal(t, span(90, 130), got.Hits[0].Window, "the whole stall is known")
	assert.Equal(t, 3, got.Totals.Count)
	assert.Equal(t, 50*time.Millisecond, got.Totals.Time)
	assert.Equal(t, span(100, 200), got.Totals.Hull)
}

func TestTouchingIsNotOverlapping(t *testing.T) {
	store := storeOf(stallOf("io", 50, 101), stallOf("io", 199, 300))
	assert.Zero(t, selector().Select(store, requestOf(100, 200), everything()).Totals.Count)
}

func TestOnlyTheServedPartCounts(t *testing.T) {
	r := requestOf(100, 300)
	r.Served.End = 200 * ms
	assert.Zero(t, selector().Select(storeOf(stallOf("io", 210, 290)), r, everything()).Totals.Count)
}

func TestTimeOfSeveralThreadsCountsOnce(t *testing.T) {
	store := storeOf(
		stall.Stall{Window: span(110, 140), Cause: "lock", Kind: "stall", TID: 1, Typical: 15 * time.Millisecond},
		stall.Stall{Window: span(120, 150), Cause: "lock", Kind: "stall", TID: 2, Typical: 15 * time.Millisecond},
		stall.Stall{Window: span(145, 155), Cause: "io", Kind: "stall", TID: 3},
	)
	got := selector().Select(store, requestOf(100, 200), everything()).Totals
	assert.Equal(t, 3, got.Count)
	assert.Equal(t, 45*time.Millisecond, got.Time, "110 to 155")
	require.Len(t, got.Causes, 2)
	assert.Equal(t, "lock", got.Causes[0].Name)
	assert.Equal(t, 40*time.Millisecond, got.Causes[0].Time, "110 to 150")
	assert.Equal(t, 10*time.Millisecond, got.Causes[1].Time)
	assert.Equal(t, 20*time.Millisecond, got.Excess, "half of 110 to 150")
}

func TestPhases(t *testing.T) {
	r := requestOf(100, 200)
	r.Phases[request.PhaseQueue], r.Phases[request.PhasePrefill], r.Phases[request.PhaseDecode] = span(100, 110), span(110, 120), span(120, 200)
	got := selector().Select(storeOf(stallOf("io", 90, 150), stallOf("lock", 160, 170)), r, everything())
	long, short := got.Hits[0], got.Hits[1]
	assert.Equal(t, request.PhaseDecode, long.Phase)
	assert.InDelta(t, 0.2, long.Shares[request.PhaseQueue], 1e-9)
	assert.InDelta(t, 0.2, long.Shares[request.PhasePrefill], 1e-9)
	assert.InDelta(t, 0.6, long.Shares[request.PhaseDecode], 1e-9)
	assert.Equal(t, request.PhaseDecode, short.Phase)
	assert.InDelta(t, 1, short.Shares[request.PhaseDecode], 0)
	assert.Equal(t, 40*time.Millisecond, got.Totals.Phases[request.PhaseDecode])
	assert.Equal(t, 10*time.Millisecond, got.Totals.Phases[request.PhaseQueue])
}

func TestPhaseIsNoneWhereNoneIsKnown(t *testing.T) {
	got := selector().Select(storeOf(stallOf("io", 110, 150)), requestOf(100, 200), everything())
	assert.Equal(t, request.PhaseNone, got.Hits[0].Phase)
	assert.InDelta(t, 1, got.Hits[0].Shares[request.PhaseNone], 0)
}

func TestSummaryAlone(t *testing.T) {
	r := requestOf(100, 200)
	r.Detail = request.DetailSummary
	got := selector().Select(storeOf(stallOf("io", 110, 150)), r, everything())
	assert.Zero(t, got.Shown)
	assert.Len(t, got.Hits, 1, "it is told all the same")
	assert.Equal(t, 1, got.Totals.Count)
}

func TestNoMoreAreLookedAtThanAllowed(t *testing.T) {
	var stalls []stall.Stall
	for n := range window.Time(50) {
		stalls = append(stalls, stallOf("io", 100+10*n, 105+10*n))
	}
	s := NewSelector(Settings{Top: 3, MinOverlap: time.Millisecond, MaxLooked: 20})
	got := s.Select(storeOf(stalls...), requestOf(0, 1000), everything())
	assert.True(t, got.Totals.Truncated)
	assert.Equal(t, 20, got.Totals.Count)
	assert.False(t, s.Select(storeOf(stalls...), requestOf(0, 250), everything()).Totals.Truncated)
}

func TestCausesAreBounded(t *testing.T) {
	var stalls []stall.Stall
	for n := range 100 {
		stalls = append(stalls, stallOf("cause "+strconv.Itoa(n), window.Time(10*n), window.Time(10*n+5)))
	}
	got := selector().Select(storeOf(stalls...), requestOf(0, 2000), everything()).Totals
	assert.Len(t, got.Causes, maxCauses)
	assert.Equal(t, "other", got.Causes[0].Name)
	var sum time.Duration
	for _, cause := range got.Causes {
		sum += cause.Time
	}
	assert.Equal(t, 500*time.Millisecond, sum)
}

// TestAgainstCountingMilliseconds compares with what follows from looking at
// every millisecond of the request by itself.
func TestAgainstCountingMilliseconds(t *testing.T) {
	causes := []string{"io", "lock", "gpu_busy"}
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		var stalls []stall.Stall
		for tid := range int64(1 + random.IntN(4)) {
			clock := window.Time(random.IntN(50))
			for clock < 400 {
				end := clock + 1 + window.Time(random.IntN(40))
				s := stallOf(causes[random.IntN(3)], clock, end)
				s.TID = tid + 1
				stalls = append(stalls, s)
				clock = end + window.Time(random.IntN(60))
			}
		}
		r := requestOf(100, 300)
		top := atLeast + random.IntN(10)
		s := NewSelector(Settings{Top: top, MinOverlap: 1, MaxLooked: 10_000})
		got := s.Select(storeOf(stalls...), r, everything())

		var met []time.Duration
		for i := range stalls {
			if overlap := stalls[i].And(r.Served); !overlap.Empty() {
				met = append(met, overlap.Duration())
			}
		}
		slices.SortFunc(met, func(a, b time.Duration) int { return cmp.Compare(b, a) })
		require.Equal(t, len(met), got.Totals.Count, "seed %d", seed)
		require.Len(t, got.Hits, min(top, len(met)))
		require.Equal(t, len(got.Hits), got.Shown)
		for i, hit := range got.Hits {
			require.Equal(t, met[i], hit.Overlap.Duration(), "seed %d: the longest, in order", seed)
			require.True(t, r.Served.Contains(hit.Overlap))
		}
		stalledAtAll := 0
		byCause := map[string]int{}
		for at := window.Time(100); at < 300; at++ {
			stalled := map[string]bool{}
			for i := range stalls {
				if stalls[i].Start <= at*ms && at*ms < stalls[i].End {
					stalled[stalls[i].Cause] = true
				}
			}
			for cause := range stalled {
				byCause[cause]++
			}
			if len(stalled) > 0 {
				stalledAtAll++
			}
		}
		require.Equal(t, time.Duration(stalledAtAll)*time.Millisecond, got.Totals.Time, "seed %d", seed)
		for _, cause := range got.Totals.Causes {
			require.Equal(t, time.Duration(byCause[cause.Name])*time.Millisecond, cause.Time, "seed %d", seed)
		}
	}
}
