package gpucausereceiver

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gpucause/gpucause/internal/cmd/tracetree/tree"
	"github.com/gpucause/gpucause/internal/collective"
)

const (
	// lateness is the time between the first and the last rank from which a rank is
	// the story's straggler, and not the machine's.
	lateness = 15 * time.Millisecond
	// enoughLate is how many such collectives a story must have.
	enoughLate = 2
)

// straggler is a rank that comes last, and why.
type straggler struct {
	rank  int
	cause string
}

// collectiveStory is a workload script of several ranks with what must be told.
type collectiveStory struct {
	name string    // of the script
	cast string    // its ranks' comms begin with it
	last straggler // who comes late; with cause nothing nobody does
	// also are those who come late because of the first.
	also []straggler
	// blame is what a summary of a rank that waited says, a pattern.
	blame string
}

var collectiveStories = []collectiveStory{
	{name: "nccl-healthy", cast: "healthy", last: straggler{cause: nothing}},
	{
		name: "nccl-late-loader", cast: "late-loader", last: straggler{2, "input_wait"},
		blame: `waiting in ncclAllReduce of 4 ranks; .* was for rank 2 \(late-loader-2, pid \d+\), which came .* later: .* blocked in poll, woken by loader-2`,
	},
	{
		name: "nccl-late-cpu", cast: "late-cpu", last: straggler{2, "cpu_contention"},
		blame: `was for rank 2 \(late-cpu-2, pid \d+\), which came .* later: .* without a CPU`,
	},
	{
		name: "nccl-late-gpu", cast: "late-gpu", last: straggler{2, "gpu_busy"},
		blame: `was for rank 2 \(late-gpu-2, pid \d+\), which came .* later: .* waiting for the GPU`,
	},
	{
		name: "nccl-late-gpu-queued", cast: "queued", last: straggler{cause: nothing},
		blame: `waiting in ncclAllReduce of 4 ranks, which all ranks had queued before: the GPUs were behind`,
	},
	{
		name: "nccl-two-comms", cast: "two-comms", last: straggler{1, "host_code"},
		blame: `was for rank 1 \(two-comms-2, pid \d+\), which came .* later: .* running host code`,
	},
	{
		name: "nccl-send-recv", cast: "send-recv", last: straggler{1, "host_code"}, also: []straggler{{0, "collective_wait"}, {2, "collective_wait"}, {3, "collective_wait"}},
		blame: `waiting in nccl(Send|Recv) of 4 ranks; .* was for rank 1 \(send-recv-1, pid \d+\), which came .* later: .* running host code`,
	},
	{
		name: "nccl-own-stream", cast: "own-stream", last: straggler{2, "io"},
		blame: `was for rank 2 \(own-stream-2, pid \d+\), which came .* later: .* blocked on storage I/O`,
	},
}

// Every story names the rank that comes late and why, and no other rank; where
// nobody can tell it names none.
func TestCollectiveStories(t *testing.T) {
	requireKernelTests(t)
	for i := range collectiveStories {
		story := &collectiveStories[i]
		t.Run(story.name, func(t *testing.T) {
			hold(t, func(t *trial) {
				told := story.perform(t)
				if lost := told.lostToOthers(story); lost >= tooMuch {
					t.spoil("ranks were late for %v because of others", lost)
				}
				story.check(t, told)
			})
		})
	}
}

// toldStory is what was told of a story's ranks.
type toldStory struct {
	collectives []toldCollective
	stalls      map[int][]toldStall // by the rank in the comm
	late        map[straggler]time.Duration
	times       map[straggler]int
	verdicts    []toldVerdict
}

func (story *collectiveStory) perform(t testing.TB) *toldStory {
	t.Helper()
	return story.performOn(t, openStage(t))
}

func (story *collectiveStory) performOn(t testing.TB, s *stage) *toldStory {
	t.Helper()
	s.keepAttached(t)
	s.play(t, story.name)
	s.close(t)
	told := tellStory(story.cast, tree.Collect(s.traces.AllTraces()...))
	require.NotEmpty(t, told.collectives)
	verdicts := verdictsOf(t, s.traces.AllTraces())
	for i := range told.collectives {
		if verdict, ok := verdicts[told.collectives[i].trace]; ok {
			told.verdicts = append(told.verdicts, verdict)
		}
	}
	return told
}

func tellStory(cast string, traces []*tree.Trace) *toldStory {
	told := &toldStory{
		collectives: collectivesOf(cast, traces),
		stalls:      map[int][]toldStall{},
		late:        map[straggler]time.Duration{},
		times:       map[straggler]int{},
	}
	for _, trace := range traces {
		if stall, ok := stallOf(trace); ok {
			if rank, ok := castRank(cast, attr(trace.Roots[0].Span, "thread.name")); ok {
				told.stalls[rank] = append(told.stalls[rank], stall)
			}
		}
	}
	for i := range told.collectives {
		if c := &told.collectives[i]; c.complete() && c.sequence() > 1 && c.skew() >= lateness {
			who := straggler{c.last().rank, c.last().arrival}
			told.late[who] += c.skew()
			told.times[who]++
		}
	}
	return told
}

// lostToOthers is how long ranks were late that the story does not make late.
func (told *toldStory) lostToOthers(story *collectiveStory) (lost time.Duration) {
	for who, late := range told.late {
		if !story.expects(who) {
			lost += late
		}
	}
	return lost
}

func (story *collectiveStory) expects(who straggler) bool {
	return who == story.last || slices.Contains(story.also, who)
}

func (story *collectiveStory) check(t testing.TB, told *toldStory) {
	t.Helper()
	if story.last.cause != nothing {
		assert.GreaterOrEqual(t, told.times[story.last], enoughLate, "%+v", told.times)
	}
	for who, times := range told.times {
		if !story.expects(who) {
			assert.LessOrEqual(t, times, maxNoise, "%+v came late", who)
		}
	}
	for i := range told.collectives {
		checkCollective(t, &told.collectives[i])
	}
	if story.blame != "" {
		story.checkBlame(t, told)
	}
	story.checkVerdicts(t, told)
	if t.Failed() {
		t.Log(told.collectives, told)
	}
}

// checkCollective checks what holds in every story.
func checkCollective(t testing.TB, c *toldCollective) {
	t.Helper()
	seen := map[int]bool{}
	for i := range c.ranks {
		r := &c.ranks[i]
		assert.False(t, seen[r.rank], "rank %d twice: %s", r.rank, c)
		seen[r.rank] = true
		if r.rank == collective.Unknown { // a child, as long as its memory has not been read
			assert.Len(t, c.ranks, 1)
		} else {
			assert.EqualValues(t, 4, r.size)
		}
		assert.Equal(t, c.ranks[0].key, r.key)
		assert.LessOrEqual(t, r.peer, r.wait)
		if r.sampled && r.completed {
			assert.True(t, c.complete(), "a sampled collective has all ranks: %s", c)
		}
	}
}

func (story *collectiveStory) checkBlame(t testing.TB, told *toldStory) {
	t.Helper()
	blame, named := regexp.MustCompile(story.blame), 0
	for _, stalls := range told.stalls {
		for i := range stalls {
			if stalls[i].cause == "collective_wait" && blame.MatchString(stalls[i].summary) {
				named++
			}
		}
	}
	assert.GreaterOrEqual(t, named, enoughLate, "stalls that say %s", story.blame)
}

// checkVerdicts checks what the connector makes of the collectives.
func (story *collectiveStory) checkVerdicts(t testing.TB, told *toldStory) {
	t.Helper()
	times := map[straggler]int{}
	for _, v := range told.verdicts {
		assert.Equal(t, "straggler", v.kind, v.summary)
		if v.lag >= lateness {
			times[straggler{v.rank, v.cause}]++
		}
	}
	if story.last.cause != nothing {
		assert.GreaterOrEqual(t, times[story.last], enoughLate, "verdicts: %+v", times)
	}
	for who, n := range times {
		if !story.expects(who) {
			assert.LessOrEqual(t, n, maxNoise, "verdicts on %+v", who)
		}
	}
}

// Of communicators that are older than the tracing nothing is claimed that is not
// known; their ranks are read, once another communicator has shown where they are.
func TestCommunicatorsFromBefore(t *testing.T) {
	requireKernelTests(t)
	for _, layout := range []string{"0", "1", "2"} {
		for _, fresh := range []string{"0", "1"} {
			t.Run("layout "+layout+" fresh "+fresh, func(t *testing.T) {
				t.Setenv("FAKENCCL_LAYOUT", layout)
				assert.Equal(t, fresh == "1", tellOldRanks(t, fresh) > 0)
			})
		}
	}
}

// tellOldRanks runs the story of late attachment and returns how many operations
// of the communicator from before have a rank.
func tellOldRanks(t testing.TB, fresh string) (known int) {
	t.Helper()
	s := openStage(t)
	s.play(t, "nccl-late-attach", "--fresh="+fresh)
	s.close(t)
	for _, trace := range tree.Collect(s.traces.AllTraces()...) {
		for _, root := range trace.Roots {
			// What has no number has a root of its own; without rank 0 there is none.
			nodes := []*tree.Node{root}
			if root.Span.Name() == "collective" {
				nodes = root.Children
			}
			for _, node := range nodes {
				rank, ours := castRank("late-attach", attr(node.Span, "thread.name"))
				if !ours || !strings.HasPrefix(node.Span.Name(), "nccl") {
					continue
				}
				told := rankOf(node)
				known += checkOldRank(t, told, rank)
				assert.LessOrEqual(t, told.sequence, int64(1), "the new one has one operation, and the old one no numbers")
			}
		}
	}
	return known
}

// checkOldRank returns 1 for a rank that is known.
func checkOldRank(t testing.TB, told toldRank, rank int) int {
	t.Helper()
	if told.sequence != 0 { // of the new communicator
		return 0
	}
	if told.rank == collective.Unknown {
		assert.Empty(t, told.key)
		return 0
	}
	assert.Equal(t, rank, told.rank)
	assert.EqualValues(t, 2, told.size)
	assert.NotEmpty(t, told.key)
	return 1
}

// Of eight processes' collectives the sampled ones are told by all ranks, in one
// trace, with exactly what they are. The sizes are those of nccl-exact.wl.
func TestSampledCollectives(t *testing.T) {
	requireKernelTests(t)
	type call struct {
		operation string
		size      int64
	}
	const ranks = 8
	cycle := []call{
		{"AllReduce", 2 << 20},
		{"ReduceScatter", 131 * 4 * ranks},
		{"AllGather", 77 * ranks},
		{"Reduce", 1009 * 8},
		{"Broadcast", 5 * 2},
		{"Broadcast", 6 * 8},
		{"AlltoAll", 7 * ranks},
		{"Gather", 8 * 4 * ranks},
		{"Scatter", 9 * ranks},
		{"AllReduce", 4099 * 4},
	}
	expected := func(sequence int64) call {
		switch {
		case sequence == 1:
			return call{"AllReduce", 4}
		case sequence > 10_001:
			return call{"AllReduce", 3 * 8}
		default:
			return cycle[(sequence-2)%int64(len(cycle))]
		}
	}
	story := collectiveStory{name: "nccl-exact", cast: "exact"}
	s := openStage(t)
	s.nice = 0 // eight ranks leave the receiver too little of two CPUs
	told := story.performOn(t, s)
	sampled := 0
	for i := range told.collectives {
		c := &told.collectives[i]
		for _, r := range c.ranks {
			assert.EqualValues(t, ranks, r.size)
			assert.Equal(t, c.ranks[0].sampled, r.sampled)
			assert.Equal(t, expected(r.sequence), call{r.operation, r.bytes})
			assert.True(t, r.completed)
		}
		if c.ranks[0].sampled {
			sampled++
			var numbers []int
			for _, r := range c.ranks {
				numbers = append(numbers, r.rank)
			}
			assert.ElementsMatch(t, []int{0, 1, 2, 3, 4, 5, 6, 7}, numbers, c.String())
		}
	}
	assert.InDelta(t, 10_007/100, sampled, 40, "one in 100")
}

// Of a rank that is killed the others say that they wait in a collective that does
// not complete, which that rank is not in.
func TestKilledRank(t *testing.T) {
	requireKernelTests(t)
	story := collectiveStory{name: "nccl-rank-killed", cast: "rank-killed"}
	told := story.perform(t)
	var hung []toldCollective
	for _, c := range told.collectives {
		if !c.ranks[0].completed {
			hung = append(hung, c)
		}
	}
	require.Len(t, hung, 1, fmt.Sprint(told.collectives))
	assert.EqualValues(t, 152, hung[0].sequence())
	require.Len(t, told.kind("missing_ranks"), 1)
	assert.Equal(t, []any{int64(2)}, told.kind("missing_ranks")[0].missing)
	var ranks []int
	for _, r := range hung[0].ranks {
		ranks = append(ranks, r.rank)
		assert.False(t, r.completed)
	}
	assert.ElementsMatch(t, []int{0, 1, 3}, ranks)
	for _, rank := range ranks {
		longest := slices.MaxFunc(told.stalls[rank], func(a, b toldStall) int { return int(a.duration - b.duration) })
		assert.Equal(t, "collective_wait", longest.cause)
		assert.Contains(t, longest.summary, "waiting in ncclAllReduce of 4 ranks, which did not complete: 3 of them came on this host")
	}
}

// Ranks that do not do the same at the same place are told in one trace.
func TestDesynchronisedRanks(t *testing.T) {
	requireKernelTests(t)
	story := collectiveStory{name: "nccl-desync", cast: "desync"}
	told := story.perform(t)
	var torn []int64
	for _, c := range told.collectives {
		for _, r := range c.ranks {
			if r.operation == "AllGather" {
				assert.Equal(t, 2, r.rank)
				assert.True(t, c.complete())
				torn = append(torn, c.sequence())
			}
		}
	}
	assert.ElementsMatch(t, []int64{51, 101, 151, 201, 251, 301}, torn)
	desynchronized := told.kind("desynchronized")
	assert.Len(t, desynchronized, len(torn))
	for _, v := range desynchronized {
		assert.Contains(t, v.summary, "rank 2 called AllGather")
	}
}

// kind returns the verdicts of a kind.
func (told *toldStory) kind(kind string) (found []toldVerdict) {
	for _, v := range told.verdicts {
		if v.kind == kind {
			found = append(found, v)
		}
	}
	return found
}
