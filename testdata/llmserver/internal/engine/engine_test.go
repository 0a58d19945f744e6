package engine_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gpucause/gpucause/testdata/llmserver/internal/engine"
	"github.com/gpucause/gpucause/testdata/llmserver/internal/truth"
)

// program is the real engine: `make engine`.
const program = "../../out/engine"

// running is an engine and its tokens.
type running struct {
	*engine.Link
	pid    int
	tokens chan engine.Token
	end    func() // waits for the engine's end; also at the end of the test
}

func start(t *testing.T, options ...string) *running {
	require.FileExists(t, program, "make -C testdata/llmserver engine")
	processes, sockets, err := engine.Start(engine.Settings{Program: program, Count: 1, Options: options})
	require.NoError(t, err)
	link, err := engine.NewLink(sockets[0])
	require.NoError(t, err)
	require.NoError(t, link.Ready())
	r := &running{Link: link, pid: processes[0].PID, tokens: make(chan engine.Token, 4096)}
	go func() {
		defer close(r.tokens)
		_ = link.Tokens(func(token engine.Token) { r.tokens <- token })
	}()
	ended := false
	r.end = func() {
		if !ended {
			ended = true
			require.NoError(t, link.Close())
			require.NoError(t, engine.WaitAll(processes))
		}
	}
	t.Cleanup(r.end)
	return r
}

// complete returns the tokens of each sequence once the named ones are complete.
func (r *running) complete(t *testing.T, ids ...string) map[string][]engine.Token {
	tokens := make(map[string][]engine.Token)
	open := len(ids)
	for token := range r.tokens {
		tokens[token.ID] = append(tokens[token.ID], token)
		if token.Last {
			open--
		}
		if open == 0 {
			return tokens
		}
	}
	require.Fail(t, "the engine has ended")
	return nil
}

func TestTheProcessLooksLikeVLLMs(t *testing.T) {
	r := start(t)
	title, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", r.pid))
	require.NoError(t, err)
	assert.Equal(t, "VLLM::EngineCore", strings.TrimRight(string(title), "\x00"))
	comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", r.pid))
	require.NoError(t, err)
	assert.Equal(t, "VLLM::EngineCor\n", string(comm))
}

func TestEverySequenceGetsItsTokens(t *testing.T) {
	r := start(t)
	require.NoError(t, r.Add(engine.Sequence{ID: "a", PromptTokens: 5, MaxTokens: 3, TraceParent: "00-1-2-01"}))
	require.NoError(t, r.Add(engine.Sequence{ID: "b", PromptTokens: 7, MaxTokens: 5, TraceParent: engine.NoTraceParent}))
	tokens := r.complete(t, "a", "b")
	require.Len(t, tokens["a"], 3)
	require.Len(t, tokens["b"], 5)
	assert.Equal(t, "00-1-2-01", tokens["a"][2].TraceParent)
	for i, token := range tokens["b"] {
		assert.LessOrEqual(t, token.Queued, token.Scheduled)
		assert.Less(t, token.Scheduled, token.At)
		assert.True(t, i == 0 || tokens["b"][i-1].At < token.At, "tokens come in order")
		assert.Equal(t, i == 4, token.Last)
	}
}

func TestSequencesWaitForRoomInTheBatch(t *testing.T) {
	r := start(t, "--max-num-seqs=2")
	for _, id := range []string{"a", "b", "c"} {
		require.NoError(t, r.Add(engine.Sequence{ID: id, PromptTokens: 1, MaxTokens: 4, TraceParent: engine.NoTraceParent}))
	}
	tokens := r.complete(t, "a", "b", "c")
	assert.GreaterOrEqual(t, tokens["c"][0].Scheduled, tokens["a"][3].At)
}

func TestLongPromptsAreComputedInChunks(t *testing.T) {
	r := start(t, "--max-num-seqs=4", "--max-num-batched-tokens=8", "--step-time=2ms", "--prompt-token-time=1ms")
	require.NoError(t, r.Add(engine.Sequence{ID: "a", PromptTokens: 20, MaxTokens: 1, TraceParent: engine.NoTraceParent}))
	token := r.complete(t, "a")["a"][0]
	// Three steps, and the time of all tokens.
	assert.GreaterOrEqual(t, token.At-token.Scheduled, 3*2*time.Millisecond+20*time.Millisecond)
}

func TestLogProbabilitiesCost(t *testing.T) {
	r := start(t, "--logprob-time=1ms", "--step-time=1ms")
	require.NoError(t, r.Add(engine.Sequence{ID: "a", PromptTokens: 1, MaxTokens: 2, Logprobs: 20, TraceParent: engine.NoTraceParent}))
	tokens := r.complete(t, "a")["a"]
	assert.GreaterOrEqual(t, tokens[1].At-tokens[0].At, 21*time.Millisecond)
}

func TestAnAbortedSequenceIsForgotten(t *testing.T) {
	r := start(t)
	require.NoError(t, r.Add(engine.Sequence{ID: "a", PromptTokens: 1, MaxTokens: 1 << 30, TraceParent: engine.NoTraceParent}))
	<-r.tokens
	require.NoError(t, r.Abort("a"))
	require.NoError(t, r.Abort("never there"))
	require.NoError(t, r.Add(engine.Sequence{ID: "b", PromptTokens: 1, MaxTokens: 50, TraceParent: engine.NoTraceParent}))
	tokens := r.complete(t, "b")
	assert.Less(t, len(tokens["a"]), 50, "it does not run beside b")
}

func TestEveryFaultTakesAsLongAsItIsAskedFor(t *testing.T) {
	faults := map[string]string{"lock": "lock", "io": "io", "input": "input_wait", "host_code": "host_code", "gpu": "gpu_busy", "first_launch": "module_load"}
	if os.Geteuid() == 0 { // it takes real-time priority
		faults["cpu"] = "cpu_contention"
	}
	for fault, cause := range faults {
		t.Run(fault, func(t *testing.T) {
			report := filepath.Join(t.TempDir(), "truth.jsonl")
			r := start(t, "--faults="+fault, "--truth="+report, "--fault-gap=0")
			require.NoError(t, r.Add(engine.Sequence{ID: "a", PromptTokens: 1, MaxTokens: 12, TraceParent: engine.NoTraceParent}))
			<-r.tokens
			require.NoError(t, r.Fault(fault, 20*time.Millisecond))
			r.complete(t, "a")
			r.end()
			told := faultsOf(t, report)
			require.Len(t, told, 1)
			assert.Equal(t, cause, told[0].Cause)
			assert.Equal(t, []string{"a"}, told[0].Running)
			assert.GreaterOrEqual(t, told[0].End-told[0].Start, int64(20*time.Millisecond))
			assert.LessOrEqual(t, told[0].CycleStart, told[0].Start)
			assert.GreaterOrEqual(t, told[0].CycleEnd, told[0].End)
		})
	}
}

func TestFaultsComeInTurn(t *testing.T) {
	report := filepath.Join(t.TempDir(), "truth.jsonl")
	r := start(t, "--faults=host_code,gpu", "--truth="+report, "--fault-every=1ms", "--fault-for=1ms", "--fault-gap=0")
	require.NoError(t, r.Add(engine.Sequence{ID: "a", PromptTokens: 1, MaxTokens: 8, TraceParent: engine.NoTraceParent}))
	r.complete(t, "a")
	r.end()
	told := faultsOf(t, report)
	require.GreaterOrEqual(t, len(told), 4)
	for i, event := range told {
		assert.Equal(t, []string{"host_code", "gpu"}[i%2], event.Fault)
	}
}

func TestAFaultThatWasNotPreparedIsRefused(t *testing.T) {
	report := filepath.Join(t.TempDir(), "truth.jsonl")
	r := start(t, "--truth="+report)
	require.NoError(t, r.Fault("io", time.Millisecond))
	require.NoError(t, r.Add(engine.Sequence{ID: "a", PromptTokens: 1, MaxTokens: 1, TraceParent: engine.NoTraceParent}))
	r.complete(t, "a")
	r.end()
	events, err := truth.ReadFile[truth.Event](report)
	require.NoError(t, err)
	var types []string
	for _, event := range events {
		if event.Type != "long_cycle" {
			types = append(types, event.Type)
		}
	}
	assert.Equal(t, []string{"engine", "refused", "sequence", "engine"}, types)
}

func TestAMalformedOptionIsAnError(t *testing.T) {
	for _, option := range []string{"--step-time=soon", "--faults=bad-luck", "--max-num-seqs=0", "--truth=/nowhere/truth"} {
		processes, sockets, err := engine.Start(engine.Settings{Program: program, Count: 1, Options: []string{option}})
		require.NoError(t, err)
		link, err := engine.NewLink(sockets[0])
		require.NoError(t, err)
		assert.ErrorIs(t, link.Ready(), engine.ErrEnded, option)
		require.NoError(t, link.Close())
		assert.ErrorContains(t, engine.WaitAll(processes), "exit status 2", option)
	}
}

func faultsOf(t *testing.T, report string) []truth.Event {
	events, err := truth.ReadFile[truth.Event](report)
	require.NoError(t, err)
	var faults []truth.Event
	for _, event := range events {
		if event.Type == "fault" {
			faults = append(faults, event)
		}
	}
	return faults
}
