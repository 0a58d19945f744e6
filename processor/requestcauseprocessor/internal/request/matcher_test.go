package request

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

func TestGlob(t *testing.T) {
	for _, test := range []struct {
		pattern, text string
		want          bool
	}{
		{"llm_request", "llm_request", true},
		{"llm_request", "llm_requests", false},
		{"", "", true},
		{"*", "", true},
		{"*", "anything", true},
		{"llm*", "llm_request", true},
		{"*request", "llm_request", true},
		{"l*m*t", "llm_request", true},
		{"a*a", "a", false},
		{"a*ba", "aba", true},
		{"ab*ba", "aba", false},
		{"*Req *", " Req 1a2b3c4d", true},
		{"*Scheduler*(host:* | pid:*)", "Scheduler [TP 0] [DP 1] (host:abcd1234 | pid:4711)", true},
		{"*Scheduler*(host:* | pid:*)", "Detokenizer (host:abcd1234 | pid:4711)", false},
	} {
		assert.Equal(t, test.want, newGlob(test.pattern).match(test.text), "%q, %q", test.pattern, test.text)
	}
}

func TestEveryConditionMustHold(t *testing.T) {
	rule := Rule{
		Name: "r", Scopes: []string{"a.*"}, Spans: []string{"work", "job *"},
		Kinds: []ptrace.SpanKind{ptrace.SpanKindServer}, Attributes: []string{"id", "gen_ai.*"},
	}
	matches := func(scope, name string, kind ptrace.SpanKind, attributes ...string) bool {
		span := ptrace.NewSpan()
		span.SetName(name)
		span.SetKind(kind)
		for _, key := range attributes {
			span.Attributes().PutBool(key, true)
		}
		_, ok := NewMatcher([]Rule{rule}).Scope(scope).Read(span)
		return ok
	}
	assert.True(t, matches("a.b", "job 1", ptrace.SpanKindServer, "id", "gen_ai.x"))
	assert.False(t, matches("b", "work", ptrace.SpanKindServer, "id", "gen_ai.x"))
	assert.False(t, matches("a.b", "play", ptrace.SpanKindServer, "id", "gen_ai.x"))
	assert.False(t, matches("a.b", "work", ptrace.SpanKindClient, "id", "gen_ai.x"))
	assert.False(t, matches("a.b", "work", ptrace.SpanKindServer, "gen_ai.x"))
	assert.False(t, matches("a.b", "work", ptrace.SpanKindServer, "id", "genai.x"))
}

func TestFirstRuleCounts(t *testing.T) {
	m := NewMatcher([]Rule{{Name: "one", Spans: []string{"x"}}, {Name: "two", Spans: []string{"*"}}})
	for name, want := range map[string]string{"x": "one", "y": "two"} {
		span := ptrace.NewSpan()
		span.SetName(name)
		r, ok := m.Scope("any").Read(span)
		assert.True(t, ok)
		assert.Equal(t, want, r.Rule)
	}
}
