package intake

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/collective"
)

// FuzzSpan reads whatever decodes as a span. What is pairable must be within the
// bounds that the rest relies on.
func FuzzSpan(f *testing.F) {
	marshaler := ptrace.ProtoMarshaler{}
	seed := func(span ptrace.Span) {
		traces := ptrace.NewTraces()
		span.CopyTo(traces.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty())
		raw, err := marshaler.MarshalTraces(traces)
		require.NoError(f, err)
		f.Add(raw)
	}
	seed(rankSpan())
	seed(changed(map[string]any{"nccl.operation": "Send", "nccl.peer": 5}))
	seed(changed(map[string]any{"nccl.rank": "3", "nccl.wait": -1.0}))
	f.Fuzz(func(t *testing.T, raw []byte) {
		unmarshaler := ptrace.ProtoUnmarshaler{}
		traces, err := unmarshaler.UnmarshalTraces(raw)
		if err != nil {
			return
		}
		r := NewReader()
		for _, resource := range traces.ResourceSpans().All() {
			process := r.Process(resource.Resource())
			for _, scope := range resource.ScopeSpans().All() {
				for _, span := range scope.Spans().All() {
					var report collective.Report
					if Concerns(span) && r.Span(process, span, &report) == Pairable {
						check(t, &report)
					}
				}
			}
		}
	})
}

func check(t *testing.T, r *collective.Report) {
	assert.False(t, r.Trace.IsEmpty())
	assert.NotEqual(t, collective.OperationUnknown, r.Call.Operation)
	assert.True(t, r.Rank.Number >= 0 && r.Rank.Number < r.Key.Size)
	assert.Positive(t, r.Key.Sequence)
	assert.Positive(t, r.Rank.Enqueue)
	assert.LessOrEqual(t, len(r.Key.Communicator), maxIdentifier)
	if r.Rank.Is(collective.HasWait) {
		assert.GreaterOrEqual(t, r.Rank.WaitStart.Add(r.Rank.Wait), r.Rank.WaitStart)
		assert.LessOrEqual(t, r.Rank.WaitStart.Sub(r.Rank.Enqueue).Abs(), longest)
	}
	if r.Rank.Completed != 0 {
		assert.GreaterOrEqual(t, r.Rank.Completed, r.Rank.Enqueue)
	}
	for _, seconds := range r.Rank.Ledger {
		assert.True(t, seconds >= 0 && float64(seconds) <= longest.Seconds())
	}
}
