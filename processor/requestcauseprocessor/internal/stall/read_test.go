package stall

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/golden"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/window"
)

// receiverTraces are traces that the receiver writes, as its own tests have them.
const receiverTraces = "../../../../testdata/golden/spans/"

func roots(t *testing.T, name string) []ptrace.Span {
	t.Helper()
	traces, err := golden.ReadTraces(receiverTraces + name)
	require.NoError(t, err)
	var found []ptrace.Span
	for _, resource := range traces.ResourceSpans().All() {
		for _, scope := range resource.ScopeSpans().All() {
			require.Equal(t, ScopeName, scope.Scope().Name())
			for _, span := range scope.Spans().All() {
				if IsRoot(span) {
					found = append(found, span)
				}
			}
		}
	}
	return found
}

func TestStallOfTheReceiver(t *testing.T) {
	found := roots(t, "stall-lock.yaml")
	require.Len(t, found, 1)
	s, ok := Read(found[0])
	require.True(t, ok)
	assert.Equal(t, window.Window{Start: 1767225700108000000, End: 1767225700132100000}, s.Window)
	assert.Equal(t, 9*time.Millisecond, s.Typical)
	assert.Equal(t, 15100*time.Microsecond, s.Excess())
	assert.Equal(t, "d10fe34c4e326119a718fb8f4371daef", s.Trace.String())
	assert.Equal(t, "58e345399ff735df", s.Root.String())
	assert.Equal(t, int64(101), s.TID)
	assert.Equal(t, "VLLM::EngineCor", s.ThreadName)
	assert.Equal(t, "stall", s.Kind)
	assert.Equal(t, "lock", s.Cause)
	assert.Equal(t, "lock", s.Label())
	assert.InDelta(t, 0.98, s.Explained, 0.01)
	assert.Contains(t, s.Summary, "woken by kv-offload (tid 102)")
}

func TestStallUnderASpanOfItsProgram(t *testing.T) {
	root := roots(t, "stall-lock.yaml")[0]
	root.SetParentSpanID(pcommon.SpanID{1})
	require.True(t, IsRoot(root))
	s, ok := Read(root)
	require.True(t, ok)
	assert.Equal(t, root.SpanID(), s.Root)
}

func TestFailedCycleIsCalledByItsKind(t *testing.T) {
	found := roots(t, "stall-failed.yaml")
	require.NotEmpty(t, found)
	s, ok := Read(found[0])
	require.True(t, ok)
	assert.Equal(t, "failed", s.Label())
}

func TestCallsAreNoStalls(t *testing.T) {
	assert.Empty(t, roots(t, "first-launch.yaml"), "a call that is the root of a trace is no dispatch cycle")
}

func TestBadRoots(t *testing.T) {
	for name, spoil := range map[string]func(ptrace.Span){
		"no trace id":   func(s ptrace.Span) { s.SetTraceID(pcommon.TraceID{}) },
		"no span id":    func(s ptrace.Span) { s.SetSpanID(pcommon.SpanID{}) },
		"no time":       func(s ptrace.Span) { s.SetEndTimestamp(s.StartTimestamp()) },
		"backwards":     func(s ptrace.Span) { s.SetEndTimestamp(1) },
		"year 2500":     func(s ptrace.Span) { s.SetEndTimestamp(math.MaxUint64) },
		"no kind":       func(s ptrace.Span) { s.Attributes().Remove(attrKind) },
		"kind a number": func(s ptrace.Span) { s.Attributes().PutInt(attrKind, 1) },
		"no thread":     func(s ptrace.Span) { s.Attributes().Remove(attrThreadID) },
	} {
		t.Run(name, func(t *testing.T) {
			root := roots(t, "stall-lock.yaml")[0]
			spoil(root)
			_, ok := Read(root)
			assert.False(t, ok)
		})
	}
}

func TestBadAttributesAreLeftOut(t *testing.T) {
	root := roots(t, "stall-lock.yaml")[0]
	root.Attributes().PutDouble(attrExplained, math.NaN())
	root.Attributes().PutDouble(attrTypical, -1)
	root.Attributes().PutStr(attrSummary, strings.Repeat("ä", 5000))
	s, ok := Read(root)
	require.True(t, ok)
	assert.Negative(t, s.Explained)
	assert.Zero(t, s.Typical)
	assert.Zero(t, s.Excess(), "nothing is over what is not known")
	assert.Equal(t, strings.Repeat("ä", maxSummary/2), s.Summary)
}
