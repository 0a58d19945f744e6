package neighbour

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/request"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/window"
)

const second = window.Time(time.Second)

func secs(from, to float64) window.Window {
	return window.Window{Start: window.Time(from * float64(second)), End: window.Time(to * float64(second))}
}

// served is a request that was scheduled at once and had its first token after
// prefill seconds.
func servedAs(id string, during window.Window, prefill float64, work request.Work) *request.Request {
	r := &request.Request{ID: id, Window: during, Served: during, Work: work}
	first := during.Start + window.Time(prefill*float64(second))
	r.Phases[request.PhasePrefill] = window.Window{Start: during.Start, End: first}
	r.Phases[request.PhaseDecode] = window.Window{Start: first, End: during.End}
	copy(r.Span[:], id)
	copy(r.Trace[:], id)
	return r
}

func roomy() *Store {
	return NewStore(Settings{Retention: time.Hour, MaxRequests: 1000, MostFound: 20})
}

// TestHeadOfLineBlocker is the story of one request for eight sequences with
// logprobs that keeps eight short ones waiting.
func TestHeadOfLineBlocker(t *testing.T) {
	store := roomy()
	for n := range 8 {
		child := servedAs("chatcmpl-big", secs(0, 10.5), 0.2, request.Work{PromptTokens: 100, CompletionTokens: 512, Sequences: 1})
		child.Span[7] = byte(n + 1)
		store.Add(1, child, 20*second)
	}
	var victims []*request.Request
	for n := range 8 {
		r := servedAs(fmt.Sprint("cmpl-", n), secs(0.5, 10.2), 0.1, request.Work{PromptTokens: 30, CompletionTokens: 16, Sequences: 1})
		store.Add(1, r, 20*second)
		victims = append(victims, r)
	}
	for _, victim := range victims {
		found := store.Find(1, victim, []window.Window{secs(1, 10)})
		require.Len(t, found, 9)
		blocker := found[0]
		assert.Equal(t, "chatcmpl-big", blocker.ID)
		assert.False(t, blocker.Self)
		assert.Equal(t, int64(8), blocker.Sequences)
		assert.Equal(t, int64(100), blocker.PromptTokens)
		assert.Equal(t, int64(8*512), blocker.CompletionTokens)
		assert.Equal(t, 9*time.Second, blocker.Overlap)
		assert.Greater(t, blocker.Share, 0.9)
	}
	own := store.Find(1, servedAs("chatcmpl-big", secs(0, 10.5), 0.2, request.Work{}), []window.Window{secs(1, 10)})
	assert.True(t, own[0].Self, "in its own trace it is itself what it waited for")
}

func TestLongPrefillAmongDecodes(t *testing.T) {
	store := roomy()
	for n := range 8 {
		store.Add(1, servedAs(fmt.Sprint("short-", n), secs(0, 10), 0.1, request.Work{PromptTokens: 40, CompletionTokens: 400}), 20*second)
	}
	store.Add(1, servedAs("long", secs(5, 9), 1, request.Work{PromptTokens: 30_000, CompletionTokens: 100}), 20*second)
	victim := servedAs("short-0", secs(0, 10), 0.1, request.Work{})
	during := store.Find(1, victim, []window.Window{secs(5.1, 5.9)})
	assert.Equal(t, "long", during[0].ID)
	assert.Greater(t, during[0].Share, 0.9)
	before := store.Find(1, victim, []window.Window{secs(2, 3)})
	assert.NotEqual(t, "long", before[0].ID)
	assert.Less(t, before[0].Share, 0.5, "nobody stands out")
}

func TestWaitingInTheQueueIsNoWork(t *testing.T) {
	store := roomy()
	queued := servedAs("queued", secs(0, 10), 0, request.Work{CompletionTokens: 100})
	queued.Phases = request.Phases{request.PhaseQueue: secs(0, 8)}
	store.Add(1, queued, 20*second)
	assert.Empty(t, store.Find(1, servedAs("v", secs(0, 10), 0, request.Work{}), []window.Window{secs(1, 7)}))
	assert.Len(t, store.Find(1, servedAs("v", secs(0, 10), 0, request.Work{}), []window.Window{secs(1, 9)}), 1)
}

func TestGroupsAreApart(t *testing.T) {
	store := roomy()
	store.Add(1, servedAs("one", secs(0, 10), 0.1, request.Work{CompletionTokens: 5}), 20*second)
	store.Add(2, servedAs("two", secs(0, 10), 0.1, request.Work{CompletionTokens: 5}), 20*second)
	found := store.Find(2, servedAs("v", secs(0, 10), 0, request.Work{}), []window.Window{secs(1, 9)})
	require.Len(t, found, 1)
	assert.Equal(t, "two", found[0].ID)
	assert.Empty(t, store.Find(3, servedAs("v", secs(0, 10), 0, request.Work{}), []window.Window{secs(1, 9)}))
}

func TestLogprobsAreWork(t *testing.T) {
	store := roomy()
	store.Add(1, servedAs("plain", secs(0, 10), 0.1, request.Work{CompletionTokens: 100}), 20*second)
	store.Add(1, servedAs("probs", secs(0, 10), 0.1, request.Work{CompletionTokens: 50, Logprobs: 20}), 20*second)
	assert.Equal(t, "probs", store.Find(1, servedAs("v", secs(0, 10), 0, request.Work{}), []window.Window{secs(1, 9)})[0].ID)
}

func TestRequestsWithoutWorkThenAreOrderedByOverlap(t *testing.T) {
	store := roomy()
	store.Add(1, servedAs("brief", secs(0, 2), 0.1, request.Work{PromptTokens: 7}), 20*second)
	store.Add(1, servedAs("long", secs(0, 9), 0.1, request.Work{PromptTokens: 7}), 20*second)
	found := store.Find(1, servedAs("v", secs(0, 10), 0, request.Work{}), []window.Window{secs(1, 9)})
	require.Len(t, found, 2)
	assert.Equal(t, "long", found[0].ID)
	assert.Zero(t, found[0].Share)
}

// TestWhatSaysNoWorkIsNoNeighbour has requests of which it is not known how much
// work they were, or which are parts of others.
func TestWhatSaysNoWorkIsNoNeighbour(t *testing.T) {
	thread := servedAs("", secs(0, 10), 0, request.Work{CompletionTokens: 100})
	thread.Thread = request.Thread{HostID: "h", TID: 4711}
	for name, r := range map[string]*request.Request{
		"says nothing":       servedAs("a", secs(0, 10), 0, request.Work{}),
		"says no tokens":     servedAs("b", secs(0, 10), 0, request.Work{Sequences: 8, Logprobs: 20}),
		"span of a thread":   thread,
		"nothing, and a TID": {Thread: thread.Thread, Window: secs(0, 10), Served: secs(0, 10)},
	} {
		store := roomy()
		store.Add(1, r, 20*second)
		assert.Zero(t, store.Len(), name)
		assert.Empty(t, store.Find(1, servedAs("v", secs(0, 10), 0, request.Work{}), []window.Window{secs(1, 9)}), name)
	}
}

// TestSpansOfOneRequestAreItself has a request within another one of the same
// trace: what either says of the work is the work of both.
func TestSpansOfOneRequestAreItself(t *testing.T) {
	whole := servedAs("", secs(0, 10), 0, request.Work{CompletionTokens: 90})
	whole.Trace, whole.Span = [16]byte{7}, [8]byte{1}
	part := servedAs("", secs(0, 10), 0, request.Work{})
	part.Trace, part.Span, part.Parent = [16]byte{7}, [8]byte{2}, [8]byte{1}
	stranger := servedAs("stranger", secs(0, 10), 0, request.Work{CompletionTokens: 10})
	stranger.Span, stranger.Parent = [8]byte{2}, [8]byte{1} // of another trace
	find := func(r *request.Request, known ...*request.Request) []Neighbour {
		store := roomy()
		for _, one := range known {
			store.Add(1, one, 20*second)
		}
		return store.Find(1, r, []window.Window{secs(1, 9)})
	}
	t.Run("a part without work of its own", func(t *testing.T) {
		found := find(part, whole, part, stranger)
		require.Len(t, found, 2)
		assert.True(t, found[0].Self)
		assert.InDelta(t, 0.9, found[0].Share, 1e-9)
		assert.False(t, found[1].Self, "another trace is another request")
	})
	part.Work.CompletionTokens = 90
	t.Run("parts that say the same again", func(t *testing.T) {
		for _, r := range []*request.Request{whole, part} {
			found := find(r, whole, part, stranger)
			require.Len(t, found, 2)
			assert.True(t, found[0].Self)
			assert.InDelta(t, 0.9, found[0].Share, 1e-9, "its work counts once")
		}
	})
	whole.Work.CompletionTokens = 0
	t.Run("a whole without work of its own", func(t *testing.T) {
		other := *part
		other.Span, other.Work.CompletionTokens = [8]byte{3}, 10
		found := find(whole, part, &other)
		require.Len(t, found, 1, "its parts are not each other's neighbours")
		assert.True(t, found[0].Self)
		assert.InDelta(t, 1, found[0].Share, 1e-9)
	})
}

func TestAnswersAreBounded(t *testing.T) {
	store := NewStore(Settings{Retention: time.Hour, MaxRequests: 1000, MostFound: 3})
	for n := range 50 {
		work := request.Work{CompletionTokens: int64(n * 7 % 50)}
		store.Add(1, servedAs(fmt.Sprint(n), secs(0, 9), 0, work), 20*second)
	}
	var tokens []int64
	for _, n := range store.Find(1, servedAs("v", secs(0, 10), 0, request.Work{}), []window.Window{secs(1, 9)}) {
		tokens = append(tokens, n.CompletionTokens)
	}
	assert.Equal(t, []int64{49, 48, 47}, tokens)
}

func TestWhatIsRememberedIsBounded(t *testing.T) {
	store := NewStore(Settings{Retention: 10 * time.Second, MaxRequests: 100})
	for n := range 5000 {
		end := float64(n) / 1000
		store.Add(1, servedAs(fmt.Sprint(n), secs(end-0.1, end), 0, request.Work{PromptTokens: 1}), window.Time(end*float64(second)))
		require.LessOrEqual(t, store.Len(), 100)
	}
	assert.Equal(t, uint64(4900), store.Evicted())
	store.Advance(100 * second)
	assert.Zero(t, store.Len())
	assert.Empty(t, store.groups)
}
