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

func TestRequestsWithoutWorkAreOrderedByOverlap(t *testing.T) {
	store := roomy()
	store.Add(1, servedAs("", secs(0, 2), 0, request.Work{}), 20*second)
	long := servedAs("", secs(0, 9), 0, request.Work{})
	long.Span[0] = 9
	store.Add(1, long, 20*second)
	found := store.Find(1, servedAs("v", secs(0, 10), 0, request.Work{}), []window.Window{secs(1, 9)})
	require.Len(t, found, 2)
	assert.Equal(t, long.Span, found[0].Span)
	assert.Zero(t, found[0].Share)
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
		store.Add(1, servedAs(fmt.Sprint(n), secs(end-0.1, end), 0, request.Work{}), window.Time(end*float64(second)))
		require.LessOrEqual(t, store.Len(), 100)
	}
	assert.Equal(t, uint64(4900), store.Evicted())
	store.Advance(100 * second)
	assert.Zero(t, store.Len())
	assert.Empty(t, store.groups)
}
