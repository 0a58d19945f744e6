package collectiveskewconnector

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/engine"
	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/scenario"
	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/spans"
	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/verdict"
)

// What is documented in docs/overhead.md, in bytes.
const (
	atMostPerSpan    = 1536      // that waits, each of a process of its own
	atMostResources  = 128 << 20 // of processes
	atMostPerVerdict = 18_000    // that waits for the next consumer
)

// verbose is a span that says as much as is kept of it and of its resource, and more.
type verbose struct {
	ptrace.Traces
	resource pcommon.Map
	span     ptrace.Span
}

const verboseRanks = 1024

func newVerbose() *verbose {
	traces := ptrace.NewTraces()
	v := &verbose{Traces: traces, span: addRank(traces, 0, verboseRanks+1, 0)}
	v.resource = traces.ResourceSpans().At(0).Resource().Attributes()
	for k := range 8 {
		v.resource.PutStr(fmt.Sprintf("%0200d", k), strings.Repeat("v", 800))
	}
	attributes := v.span.Attributes()
	attributes.PutBool("nccl.completed", false)
	attributes.Remove("nccl.completion.time")
	attributes.PutStr("nccl.communicator", strings.Repeat("c", 64))
	attributes.PutStr("nccl.arrival.cause", "io")
	attributes.PutStr("nccl.arrival.summary", strings.Repeat("s", 300))
	return v
}

// number makes it the span number i, of a process of its own, in a collective that
// is never complete.
func (v *verbose) number(i int) {
	v.span.SetTraceID(pcommon.TraceID{1, byte(i / verboseRanks >> 8), byte(i / verboseRanks)})
	v.span.Attributes().PutInt("nccl.sequence", int64(i/verboseRanks)+1)
	v.span.Attributes().PutInt("nccl.rank", int64(i%verboseRanks))
	v.resource.PutStr("host.name", fmt.Sprintf("%0253d", i))
	v.resource.PutStr("host.id", fmt.Sprintf("%0253d", i))
}

// delivered is the span as it comes over a wire: no text of it is anybody else's.
func (v *verbose) delivered(t *testing.T) ptrace.Traces {
	raw, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(v.Traces)
	require.NoError(t, err)
	traces, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(raw)
	require.NoError(t, err)
	return traces
}

// TestSpansThatWaitAreBounded holds spans whose resources take more than there is.
func TestSpansThatWaitAreBounded(t *testing.T) {
	const held = 5 * atMostResources / (32 << 10)
	before, e := int64(heap()), engine.New(testConfig().engine(), func(*verdict.Verdict) {})
	v := newVerbose()
	for i := range held {
		v.number(i)
		e.Consume(scenario.Epoch, v.delivered(t))
	}
	took := int64(heap()) - before
	require.Equal(t, held, e.Totals().Spans)
	assert.Positive(t, e.Totals().Forgotten)
	t.Logf("%.1f MB for %d spans", float64(took)/1e6, held)
	assert.Less(t, took, int64(atMostResources+held*atMostPerSpan))
	runtime.KeepAlive(e)
}

// TestSpansThatCannotBePairedLeaveNothing counts what was read of their resources.
func TestSpansThatCannotBePairedLeaveNothing(t *testing.T) {
	e := engine.New(testConfig().engine(), func(*verdict.Verdict) {})
	consume := func(rank int64) {
		v := newVerbose()
		v.number(0)
		v.resource.PutStr(strings.Repeat("k", 10_000), strings.Repeat("v", 10_000))
		v.span.Attributes().PutInt("nccl.rank", rank)
		e.Consume(scenario.Epoch, v.delivered(t))
	}
	consume(-1)
	assert.EqualValues(t, 1, e.Tally().Unpairable)
	assert.Zero(t, e.Totals().AttributesDropped)
	consume(1)
	assert.Positive(t, e.Totals().AttributesDropped)
}

// TestVerdictsThatWaitAreBounded tells verdicts about processes with all that is
// kept of them, whom nobody else remembers.
func TestVerdictsThatWaitAreBounded(t *testing.T) {
	const told = 64
	before := int64(heap())
	batch := verboseVerdicts(t, told)
	each := (int64(heap()) - before) / told
	t.Logf("%d bytes each", each)
	assert.Less(t, each, int64(atMostPerVerdict))
	runtime.KeepAlive(batch)
}

func verboseVerdicts(t *testing.T, n int) *spans.Batch {
	batch := spans.NewBatch("")
	e := engine.New(testConfig().engine(), func(v *verdict.Verdict) {
		v.Kind, v.Summary = verdict.Desynchronized, strings.Repeat("s", 4096)
		v.Calls = []string{strings.Repeat("c", 4096)}
		batch.Append(v)
	})
	said := newVerbose()
	for i := range n {
		said.number(i * verboseRanks)
		e.Consume(scenario.Epoch, said.delivered(t))
	}
	e.Close(scenario.Epoch)
	return batch
}
