package request

import (
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/window"
)

const fixtures = "../../testdata/vllm/*.json"

func vllm() Rule {
	return Rule{
		Name: "vllm", Scopes: []string{"vllm.tracing.otel", "vllm.llm_engine"}, Spans: []string{"llm_request"},
		Fields: Fields{
			Queue: "gen_ai.latency.time_in_queue", Prefill: "gen_ai.latency.time_in_model_prefill",
			Decode: "gen_ai.latency.time_in_model_decode", FirstToken: "gen_ai.latency.time_to_first_token",
			EndToEnd: "gen_ai.latency.e2e", PromptTokens: "gen_ai.usage.prompt_tokens",
			CompletionTokens: "gen_ai.usage.completion_tokens", Sequences: "gen_ai.request.n",
			Logprobs: "gen_ai.request.logprobs", ID: "gen_ai.request.id",
		},
	}
}

// TestFixtures reads what vLLM's own tracing code has written.
func TestFixtures(t *testing.T) {
	files, err := filepath.Glob(fixtures)
	require.NoError(t, err)
	require.Len(t, files, 5)
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		traces, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(raw)
		require.NoError(t, err)
		scope := traces.ResourceSpans().At(0).ScopeSpans().At(0)
		span := scope.Spans().At(0)
		r, ok := NewMatcher([]Rule{vllm()}).Scope(scope.Scope().Name()).Read(span)
		require.True(t, ok, file)
		require.True(t, r.Valid(), file)
		start := window.Time(span.StartTimestamp())
		ms := func(n float64) window.Time { return start + window.Time(n*1e6) }
		assert.Equal(t, window.Window{Start: start, End: window.Time(span.EndTimestamp())}, r.Window)
		assert.Equal(t, ms(2412), r.Served.End, "0.412 s to the first token, 2 s to the last")
		assert.Equal(t, window.Window{Start: start, End: ms(14)}, r.Phases[PhaseQueue], "all before the first scheduling")
		assert.Equal(t, window.Window{Start: ms(14), End: ms(412)}, r.Phases[PhasePrefill])
		assert.Equal(t, window.Window{Start: ms(412), End: ms(2412)}, r.Phases[PhaseDecode])
		assert.Equal(t, Work{PromptTokens: 512, CompletionTokens: 128, Sequences: 1}, r.Work)
		assert.Equal(t, "chatcmpl-9f1c2d3e4b5a69788796a5b4c3d2e1f0", r.ID)
		assert.Equal(t, "vllm", r.Rule)
	}
}

// spanOf is a span of 10 s from second 100 on, with latencies.
func spanOf(t *testing.T, attributes map[string]any) ptrace.Span {
	t.Helper()
	span := ptrace.NewSpan()
	span.SetName("llm_request")
	span.SetTraceID([16]byte{1})
	span.SetSpanID([8]byte{2})
	span.SetStartTimestamp(100e9)
	span.SetEndTimestamp(110e9)
	require.NoError(t, span.Attributes().FromRaw(attributes))
	return span
}

func read(t *testing.T, attributes map[string]any) Request {
	t.Helper()
	r, _ := NewMatcher([]Rule{vllm()}).Scope("vllm.llm_engine").Read(spanOf(t, attributes))
	return r
}

func fromTo(from, to float64) window.Window {
	return window.Window{Start: window.Time(from * 1e9), End: window.Time(to * 1e9)}
}

func TestPhasesByWhatIsKnown(t *testing.T) {
	for name, test := range map[string]struct {
		attributes map[string]any
		want       map[Phase]window.Window
		served     float64 // end
	}{
		"nothing": {nil, nil, 110},
		"all": {
			map[string]any{
				"gen_ai.latency.time_to_first_token": 4.0, "gen_ai.latency.time_in_model_prefill": 1.0,
				"gen_ai.latency.time_in_queue": 2.5, "gen_ai.latency.time_in_model_decode": 5.0, "gen_ai.latency.e2e": 9.5,
			},
			map[Phase]window.Window{PhaseQueue: fromTo(100, 103), PhasePrefill: fromTo(103, 104), PhaseDecode: fromTo(104, 109)},
			109,
		},
		"first token and queue, as TensorRT-LLM": {
			map[string]any{"gen_ai.latency.time_to_first_token": 4.0, "gen_ai.latency.time_in_queue": 3.0, "gen_ai.latency.e2e": 9.0},
			map[Phase]window.Window{PhaseQueue: fromTo(100, 103), PhasePrefill: fromTo(103, 104), PhaseDecode: fromTo(104, 109)},
			109,
		},
		"first token alone": {
			map[string]any{"gen_ai.latency.time_to_first_token": 4.0},
			map[Phase]window.Window{PhaseFirstToken: fromTo(100, 104), PhaseDecode: fromTo(104, 110)},
			110,
		},
		"queue alone": {
			map[string]any{"gen_ai.latency.time_in_queue": int64(3)},
			map[Phase]window.Window{PhaseQueue: fromTo(100, 103)},
			110,
		},
		"queue longer than the first token": {
			map[string]any{"gen_ai.latency.time_to_first_token": 4.0, "gen_ai.latency.time_in_queue": 6.0},
			map[Phase]window.Window{PhaseQueue: fromTo(100, 104), PhaseDecode: fromTo(104, 110)},
			110,
		},
		"queue and prefill": {
			map[string]any{"gen_ai.latency.time_in_queue": 3.0, "gen_ai.latency.time_in_model_prefill": 2.0},
			map[Phase]window.Window{PhaseQueue: fromTo(100, 103), PhasePrefill: fromTo(103, 105), PhaseDecode: fromTo(105, 110)},
			110,
		},
		"longer than the span": {
			map[string]any{"gen_ai.latency.time_to_first_token": 400.0, "gen_ai.latency.e2e": 1e300},
			map[Phase]window.Window{PhaseFirstToken: fromTo(100, 110)},
			110,
		},
		"no numbers": {
			map[string]any{"gen_ai.latency.time_to_first_token": "4", "gen_ai.latency.e2e": math.NaN(), "gen_ai.latency.time_in_queue": -1.0},
			nil, 110,
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := read(t, test.attributes)
			var want Phases
			for phase, w := range test.want {
				want[phase] = w
			}
			assert.Equal(t, want, r.Phases)
			assert.Equal(t, fromTo(100, test.served), r.Served)
		})
	}
}

func TestWrongTypesAreLeftOut(t *testing.T) {
	r := read(t, map[string]any{
		"gen_ai.usage.prompt_tokens": "512", "gen_ai.usage.completion_tokens": -4, "gen_ai.request.n": 3.5,
		"gen_ai.request.id": strings.Repeat("x", maxID+1),
	})
	assert.Equal(t, Work{PromptTokens: 512}, r.Work, "a number that is written as text is one")
	assert.Empty(t, r.ID)
}

func TestCountsAreBounded(t *testing.T) {
	for _, huge := range []any{int64(math.MaxInt64), "9223372036854775807", int64(maxCount) + 1} {
		r := read(t, map[string]any{
			"gen_ai.usage.prompt_tokens": huge, "gen_ai.usage.completion_tokens": huge, "gen_ai.request.n": huge, "gen_ai.request.logprobs": huge,
		})
		assert.Equal(t, Work{PromptTokens: maxCount, CompletionTokens: maxCount, Sequences: maxCount, Logprobs: maxCount}, r.Work)
	}
	r := read(t, map[string]any{"gen_ai.usage.prompt_tokens": "9223372036854775808", "gen_ai.request.n": math.MinInt64})
	assert.Equal(t, Work{}, r.Work, "what is no number of this size is none")
}

func TestInvalidRequests(t *testing.T) {
	for name, spoil := range map[string]func(ptrace.Span){
		"no trace":  func(s ptrace.Span) { s.SetTraceID([16]byte{}) },
		"no id":     func(s ptrace.Span) { s.SetSpanID([8]byte{}) },
		"backwards": func(s ptrace.Span) { s.SetEndTimestamp(99e9) },
		"no time":   func(s ptrace.Span) { s.SetEndTimestamp(s.StartTimestamp()) },
		"year 2500": func(s ptrace.Span) { s.SetEndTimestamp(math.MaxUint64) },
	} {
		t.Run(name, func(t *testing.T) {
			span := spanOf(t, nil)
			spoil(span)
			r, ok := NewMatcher([]Rule{vllm()}).Scope("vllm.llm_engine").Read(span)
			assert.True(t, ok)
			assert.False(t, r.Valid())
		})
	}
}

func TestThread(t *testing.T) {
	rule := Rule{Spans: []string{"*Scheduler*(host:* | pid:*)"}, Fields: Fields{HostID: "host_id", TID: "pid"}}
	span := spanOf(t, map[string]any{"host_id": "abcd1234ef", "pid": 4711})
	span.SetName("Scheduler [TP 0] (host:abcd1234 | pid:4711)")
	r, ok := NewMatcher([]Rule{rule}).Scope("sglang server").Read(span)
	assert.True(t, ok)
	assert.Equal(t, Thread{HostID: "abcd1234ef", TID: 4711}, r.Thread)
	span.Attributes().PutInt("pid", math.MaxInt64)
	r, _ = NewMatcher([]Rule{rule}).Scope("sglang server").Read(span)
	assert.Equal(t, int64(math.MaxInt64), r.Thread.TID, "a number that is cut would name another thread")
}

func FuzzRead(f *testing.F) {
	f.Add(uint64(100e9), uint64(110e9), 4.0, 1.0, 5.0, 9.5, 2.5, int64(128))
	f.Add(uint64(0), uint64(math.MaxUint64), math.Inf(1), -1.0, math.NaN(), 1e300, 0.0, int64(math.MinInt64))
	f.Add(uint64(math.MaxInt64), uint64(math.MaxInt64), 9e9, 9e9, 9e9, 9e9, 9e9, int64(math.MaxInt64))
	f.Add(uint64(0), uint64(math.MaxInt64), -1.0, 9e9, 9e9, -1.0, 9e9, int64(1))
	f.Add(uint64(0), uint64(math.MaxInt64), -1.0, 2.3e9, 2.3e9, -1.0, 2.3e9, int64(1))
	f.Fuzz(func(t *testing.T, start, end uint64, first, prefill, decode, total, queue float64, tokens int64) {
		span := spanOf(t, map[string]any{
			"gen_ai.latency.time_to_first_token": first, "gen_ai.latency.time_in_model_prefill": prefill,
			"gen_ai.latency.time_in_model_decode": decode, "gen_ai.latency.e2e": total, "gen_ai.latency.time_in_queue": queue,
			"gen_ai.usage.prompt_tokens": tokens, "gen_ai.usage.completion_tokens": strconv.FormatInt(tokens, 10),
		})
		span.SetStartTimestamp(window.Time(start).Timestamp())
		span.SetEndTimestamp(window.Time(end).Timestamp())
		r, ok := NewMatcher([]Rule{vllm()}).Scope("vllm.tracing.otel").Read(span)
		require.True(t, ok)
		require.LessOrEqual(t, r.Work.Tokens(), int64(2*maxCount))
		require.GreaterOrEqual(t, r.Work.Tokens(), int64(0))
		if !r.Valid() {
			return
		}
		require.True(t, r.Window.Contains(r.Served))
		var sum time.Duration
		for _, phase := range r.Phases {
			require.True(t, phase.Empty() || r.Served.Contains(phase))
			sum += phase.Duration()
		}
		require.LessOrEqual(t, sum, r.Served.Duration(), "phases do not overlap")
	})
}
