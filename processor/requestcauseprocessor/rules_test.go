package requestcauseprocessor

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/process"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/request"
)

func TestDefaultRules(t *testing.T) {
	rules := createDefaultConfig().(*Config).Requests.rules()
	matcher := request.NewMatcher(rules)
	const server, internal, caller = ptrace.SpanKindServer, ptrace.SpanKindInternal, ptrace.SpanKindClient
	latency := map[string]any{"gen_ai.latency.e2e": 1.5, "gen_ai.usage.prompt_tokens": 10}
	thread := map[string]any{"host_id": "abcd1234", "pid": 4711, "thread_label": "Scheduler", "tp_rank": 0}
	for name, test := range map[string]struct {
		scope, span string
		kind        ptrace.SpanKind
		attributes  map[string]any
		want        string // rule
	}{
		"vLLM":                         {"vllm.tracing.otel", "llm_request", server, latency, "vllm"},
		"vLLM before 0.16":             {"vllm.llm_engine", "llm_request", server, latency, "vllm"},
		"vLLM starting":                {"vllm.tracing.otel", "Load model", internal, map[string]any{"code.function": "load_model"}, ""},
		"vLLM's parts of a request":    {"vllm.tracing.otel", "vllm_prefill", internal, nil, ""},
		"SGLang's scheduler":           {"sglang server", "Scheduler [TP 0] (host:abcd1234 | pid:4711)", internal, thread, "sglang_thread"},
		"SGLang's scheduler with rank": {"sglang server", "Prefill Scheduler [TP 0] [DP 1] (host:abcd1234 | pid:4711)", internal, thread, "sglang_thread"},
		"SGLang's tokenizer":           {"sglang server", "Tokenizer (host:abcd1234 | pid:4711)", internal, thread, ""},
		"SGLang's request":             {"sglang server", " Req 1a2b3c4d", internal, map[string]any{"rid": "1a2b3c4d", "module": "sglang::request", "gen_ai.request.n": 1}, "sglang"},
		"SGLang's slice":               {"sglang server", "prefill_forward", internal, nil, ""},
		"TensorRT-LLM":                 {"trt.llm", "llm_request", server, latency, "tensorrt_llm"},
		"Triton":                       {"triton-server", "InferRequest", server, map[string]any{"triton.model_name": "m"}, "triton"},
		"Triton's inner span":          {"triton-server", "compute", internal, map[string]any{"triton.model_name": "m"}, ""},
		"another server's latencies":   {"my.server", "serve", internal, latency, "gen_ai_latency"},
		"the conventions":              {"my.server", "chat llama", server, map[string]any{"gen_ai.usage.input_tokens": 5}, "gen_ai"},
		"a client":                     {"openai", "chat gpt", caller, map[string]any{"gen_ai.usage.input_tokens": 5}, ""},
		"something else":               {"http", "GET /", server, map[string]any{"http.route": "/"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			span := ptrace.NewSpan()
			span.SetName(test.span)
			span.SetKind(test.kind)
			assert.NoError(t, span.Attributes().FromRaw(test.attributes))
			r, _ := matcher.Scope(test.scope).Read(span)
			assert.Equal(t, test.want, r.Rule)
			switch test.want {
			case "sglang_thread":
				assert.Equal(t, request.Thread{HostID: "abcd1234", TID: 4711}, r.Thread)
			case "sglang":
				assert.Equal(t, request.DetailSummary, r.Detail)
			case "gen_ai":
				assert.Equal(t, int64(5), r.Work.PromptTokens)
			}
		})
	}
}

func TestOwnRulesComeFirst(t *testing.T) {
	own := RequestsConfig{Defaults: true, Rules: []RuleConfig{{Name: "mine", Spans: []string{"llm_request"}}}}
	rules := own.rules()
	assert.Equal(t, "mine", rules[0].Name)
	assert.Greater(t, len(rules), 1)
	own.Defaults = false
	assert.Len(t, own.rules(), 1)
}

// TestRulesThatNameNoServer takes the spans of a resource for any program's where
// a rule asks for attributes alone.
func TestRulesThatNameNoServer(t *testing.T) {
	own := []RuleConfig{
		{Name: "own attribute", Attributes: []string{"my.step"}},
		{Name: "own name", Spans: []string{"infer *"}, Attributes: []string{"my.request"}},
	}
	c := RequestsConfig{Defaults: true, Rules: own}
	var generic []string
	for _, rule := range slices.Concat(own, defaultRules()) {
		traces := ptrace.NewTraces()
		scope := traces.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty()
		if len(rule.Scopes) > 0 {
			scope.Scope().SetName(rule.Scopes[0])
		}
		span := scope.Spans().AppendEmpty()
		if len(rule.Spans) > 0 {
			span.SetName(rule.Spans[0])
		}
		for _, key := range rule.Attributes {
			span.Attributes().PutStr(key, "x")
		}
		span.SetTraceID(pcommon.TraceID{1})
		span.SetSpanID(pcommon.SpanID{1})
		span.SetStartTimestamp(1)
		span.SetEndTimestamp(2)
		found := c.scanner().Scan(traces, process.Peer{})
		require.Len(t, found.Requests, 1, rule.Name)
		require.Len(t, found.Senders, 1, rule.Name)
		if found.Senders[0].Generic {
			generic = append(generic, found.Requests[0].Rule)
		}
	}
	assert.Equal(t, []string{"own attribute", "gen_ai_latency", "gen_ai"}, generic)
}

func TestDefaultRulesAreValid(t *testing.T) {
	assert.NoError(t, (&RequestsConfig{Rules: defaultRules()}).validate())
}
