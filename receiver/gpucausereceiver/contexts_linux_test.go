package gpucausereceiver

import (
	"cmp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/gpucause/gpucause/internal/cmd/tracetree/tree"
	"github.com/gpucause/gpucause/receiver/gpucausereceiver/internal/metadata"
)

// Two threads with spans of their own, each with a cycle in a first span, one in
// none, one in a second span. Of all cycles in the process, only these last 20 ms.
const twoThreads = `
process-context service.name=trainer service.instance.id=rank-7 host.name=evil +threadlocal.schema_version=tls_v1
thread warm-up count=2 { cudaLaunchKernel func=gemm ns=1us; cudaDeviceSynchronize }
` + whenTraced + `
cudaLaunchKernel func=gemm ns=1us
cudaDeviceSynchronize
sleep 300ms
thread trainer count=2 {
  cudaStreamCreate out=s@
  cudaLaunchKernel func=gemm ns=1us stream=s@; cudaStreamSynchronize stream=s@
  span 0af7651916cd43dd8448eb211c80319@ b7ad6b716920333@
  cudaLaunchKernel func=gemm ns=20ms stream=s@; cudaStreamSynchronize stream=s@
  span-end
  cudaLaunchKernel func=gemm ns=20ms stream=s@; cudaStreamSynchronize stream=s@
  span 0af7651916cd43dd8448eb211c80319@ 00f067aa0ba902b@
  cudaLaunchKernel func=gemm ns=20ms stream=s@; cudaStreamSynchronize stream=s@
}
join
`

// told is a dispatch cycle of at least 20 ms, and the span that its trace leads to.
type told struct {
	trace, span string
	parent      bool
	service     string
}

// tellContexts traces a script of the program that publishes contexts, and returns
// its cycles of at least 20 ms by thread, in order.
func tellContexts(t testing.TB, config TraceContextConfig, script string) map[string][]told {
	t.Helper()
	requireKernelTests(t)
	var traces consumertest.TracesSink
	all := testConfig()
	all.Stalls.Mode, all.TraceContext = StallModeAll, config
	receiver, err := NewFactory().CreateTraces(t.Context(), receivertest.NewNopSettings(metadata.Type), all, &traces)
	require.NoError(t, err)
	publisher := rehearse(t, 0, "../../testdata/fakecuda/out/publisher", script, "-")
	require.NoError(t, receiver.Start(t.Context(), componenttest.NewNopHost()))
	publisherPID := publisher.perform(t)
	require.NoError(t, receiver.Shutdown(t.Context()))
	var roots []*tree.Node
	for _, trace := range tree.Collect(traces.AllTraces()...) {
		roots = append(roots, trace.Roots...)
	}
	slices.SortFunc(roots, func(a, b *tree.Node) int { return cmp.Compare(a.Span.StartTimestamp(), b.Span.StartTimestamp()) })
	cycles := make(map[string][]told)
	for _, root := range roots {
		pid, _ := root.Resource.Get("process.pid")
		if root.Span.Name() == "dispatch cycle" && pid.Int() == publisherPID && length(root.Span) >= 20*time.Millisecond {
			thread := attr(root.Span, "thread.id")
			cycles[thread] = append(cycles[thread], toldBy(root.Span, root.Resource))
		}
	}
	return cycles
}

func toldBy(root ptrace.Span, resource pcommon.Map) told {
	service, _ := resource.Get("service.name")
	c := told{service: service.Str()}
	if parent := root.ParentSpanID(); !parent.IsEmpty() {
		c.trace, c.span, c.parent = root.TraceID().String(), parent.String(), true
	}
	for _, link := range root.Links().All() {
		if relation, _ := link.Attributes().Get("stall.link"); relation.Str() == "active_span" {
			c.trace, c.span = link.TraceID().String(), link.SpanID().String()
		}
	}
	return c
}

// spansOf are the two spans of a thread, by its index.
func spansOf(index byte) (trace, first, second string) {
	i := string(index)
	return "0af7651916cd43dd8448eb211c80319" + i, "b7ad6b716920333" + i, "00f067aa0ba902b" + i
}

func checkTwoThreads(t testing.TB, cycles map[string][]told, parent bool) {
	t.Helper()
	indices := make(map[byte]bool)
	for _, thread := range cycles {
		first := slices.IndexFunc(thread, func(c told) bool { return c.trace != "" })
		if first < 0 {
			continue // sleeps in no span
		}
		// The GPU may have been the other thread's for the whole of the first, short cycle.
		thread = thread[first:]
		index := thread[0].trace[31]
		indices[index] = true
		trace, one, two := spansOf(index)
		assert.Equal(t, []told{
			{trace, one, parent, "trainer"}, {service: "trainer"}, {trace, two, parent, "trainer"},
		}, thread)
	}
	assert.Equal(t, map[byte]bool{'0': true, '1': true}, indices)
}

func TestStallsLeadToTheSpansOfTheirThreads(t *testing.T) {
	hold(t, func(t *trial) {
		checkTwoThreads(t, tellContexts(t, TraceContextConfig{ThreadContext: true, ProcessContext: true}, twoThreads), false)
	})
}

func TestStallsAreChildrenOfTheSpansOfTheirThreads(t *testing.T) {
	hold(t, func(t *trial) {
		checkTwoThreads(t, tellContexts(t, TraceContextConfig{ThreadContext: true, ProcessContext: true, Parent: true}, twoThreads), true)
	})
}

func TestContextsAreNotReadUnlessWanted(t *testing.T) {
	for _, thread := range tellContexts(t, TraceContextConfig{}, twoThreads) {
		for _, cycle := range thread {
			assert.Equal(t, told{service: "publisher"}, cycle)
		}
	}
}

// A process whose contexts are nonsense is traced as any other.
func TestNonsensicalContexts(t *testing.T) {
	for name, context := range map[string]string{
		"payload nowhere":  "process-context payload=0xdead0000 size=4096 service.name=x",
		"payload too long": "process-context size=4294967295 service.name=x",
		"later version":    "process-context version=3 service.name=x",
		"other signature":  "process-context signature=NOT_OTEL service.name=x",
		"never finished":   "process-context updating service.name=x",
		"not protobuf":     "process-context size=64 payload=0x400000 service.name=x",
		"unknown schema":   "process-context +threadlocal.schema_version=tls_v9",
	} {
		t.Run(name, func(t *testing.T) {
			cycles := tellContexts(t, TraceContextConfig{ThreadContext: true, ProcessContext: true},
				strings.Replace(twoThreads, strings.Split(twoThreads, "\n")[1], context, 1))
			seen := 0
			for _, thread := range cycles {
				for _, cycle := range thread {
					seen++
					assert.Equal(t, "publisher", cycle.service)
					if name == "unknown schema" {
						assert.Empty(t, cycle.trace)
					}
				}
			}
			assert.GreaterOrEqual(t, seen, 6)
		})
	}
}
