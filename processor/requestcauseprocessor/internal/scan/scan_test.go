package scan

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/process"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/request"
)

// scanner knows the requests of a server by their name, and any others by an attribute.
func scanner() *Scanner {
	rules := []request.Rule{{Name: "server", Spans: []string{"serve"}}, {Name: "any", Attributes: []string{"gen_ai.*"}}}
	return New(request.NewMatcher(rules), map[int]bool{1: true})
}

// resourceWith appends a resource with spans of these names to a payload.
func resourceWith(traces ptrace.Traces, names ...string) pcommon.Map {
	resource := traces.ResourceSpans().AppendEmpty()
	scope := resource.ScopeSpans().AppendEmpty()
	for n, name := range names {
		span := scope.Spans().AppendEmpty()
		span.SetName(name)
		span.SetTraceID(pcommon.TraceID{byte(traces.ResourceSpans().Len())})
		span.SetSpanID(pcommon.SpanID{byte(n + 1)})
		span.SetStartTimestamp(pcommon.NewTimestampFromTime(time.Unix(1, 0)))
		span.SetEndTimestamp(pcommon.NewTimestampFromTime(time.Unix(2, 0)))
		if name != "load" {
			span.Attributes().PutStr("gen_ai.system", "x")
		} else {
			span.Attributes().PutStr(attrFunction, "load")
		}
	}
	return resource.Resource().Attributes()
}

func TestSendersOfAnyProgramsSpans(t *testing.T) {
	for name, test := range map[string]struct {
		spans []string
		want  bool
	}{
		"a server's":                      {[]string{"serve"}, false},
		"any program's":                   {[]string{"chat", "invoke_agent"}, true},
		"a server's and others of its":    {[]string{"chat", "serve"}, false},
		"a server's beside its start":     {[]string{"load", "serve"}, false},
		"any program's beside a start":    {[]string{"load", "chat"}, true},
		"a start, which is no request":    {[]string{"load"}, false},
		"any program's, one with another": {[]string{"chat", "chat"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			traces := ptrace.NewTraces()
			resourceWith(traces, test.spans...).PutStr(process.AttrVLLMPID, "7")
			found := scanner().Scan(traces, process.Peer{})
			require.Len(t, found.Senders, 1)
			assert.Equal(t, test.want, found.Senders[0].Generic)
		})
	}
}

func TestEachResourceIsASenderOfItsOwn(t *testing.T) {
	traces := ptrace.NewTraces()
	resourceWith(traces, "serve")
	resourceWith(traces, "chat")
	found := scanner().Scan(traces, process.Peer{})
	require.Len(t, found.Senders, 2)
	assert.False(t, found.Senders[0].Generic)
	assert.True(t, found.Senders[1].Generic)
}
