//go:build e2e

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/gpucause/gpucause/internal/cmd/tracetree/tree"
)

// What is asked of the join: of the requests that met a fault, how many carry it at
// least, and of those that met nothing, how many carry a stall at most.
const (
	fewestRight = 0.98
	mostWrong   = 0.01
)

// brief is for how long a request may have met a fault without having to carry it.
// One that met faults only so briefly is neither right nor wrong.
const brief = int64(5 * time.Millisecond)

// client and server are the services of a request's own spans.
const (
	client = "llm-client"
	server = "vllm"
)

// request is the trace of one request, as it was exported: what all of the server's
// spans in it carry, one for each of its sequences.
type request struct {
	trace  *tree.Trace
	stalls []*tree.Node
	sums   []*tree.Node
}

// TestRequestsCarryWhatTheyMet compares the trace of every request with what the
// completion server says that happened to it.
func TestRequestsCarryWhatTheyMet(t *testing.T) {
	told := requests(exported(t, fromEnvironment(t, "GPUCAUSE_E2E_TRACES")))
	var affected, right, unaffected, wrong int
	for _, v := range verdicts(t, fromEnvironment(t, "GPUCAUSE_E2E_VERDICTS")) {
		r, ok := told[v.TraceID]
		require.True(t, ok, "request %s has no trace", v.TraceID)
		switch v.Verdict {
		case "affected":
			if !v.long() {
				continue
			}
			affected++
			if missing := r.missing(&v); len(missing) == 0 {
				right++
			} else {
				t.Logf("%+v is not in\n%s", missing, tree.Print(r.trace, tree.Style{Width: 200}))
			}
		case "unaffected":
			unaffected++
			if len(r.stalls) > 0 {
				wrong++
				t.Logf("met nothing:\n%s", tree.Print(r.trace, tree.Style{Width: 200}))
			}
		}
	}
	t.Logf("%d of %d affected requests carry the right stalls; %d of %d others carry any", right, affected, wrong, unaffected)
	require.Greater(t, affected, 20)
	require.Greater(t, unaffected, 20)
	assert.GreaterOrEqual(t, float64(right), fewestRight*float64(affected))
	assert.LessOrEqual(t, float64(wrong), mostWrong*float64(unaffected))
}

// requests returns those of the traces that are of requests, by trace id.
func requests(traces []*tree.Trace) map[string]*request {
	found := map[string]*request{}
	for _, trace := range traces {
		if root := trace.Roots[0]; service(root) == client && len(root.Children) > 0 {
			found[trace.ID.String()] = requestOf(trace)
		}
	}
	return found
}

func requestOf(trace *tree.Trace) *request {
	r := &request{trace: trace}
	for _, sequence := range trace.Roots[0].Children {
		for _, child := range sequence.Children {
			switch name := child.Span.Name(); {
			case name == "stalls":
				r.sums = append(r.sums, child)
			case strings.HasPrefix(name, "stall: "):
				r.stalls = append(r.stalls, child)
			}
		}
	}
	return r
}

func service(node *tree.Node) string {
	value, _ := node.Resource.Get("service.name")
	return value.Str()
}

// long reports whether the request met a fault for long enough to have to carry it.
func (v *verdict) long() bool {
	return slices.ContainsFunc(v.Faults, func(f fault) bool { return f.Overlap >= brief })
}

// missing are the faults that no stall of the request tells, but for brief ones.
func (r *request) missing(v *verdict) (missing []fault) {
	for _, f := range v.Faults {
		told := slices.ContainsFunc(r.stalls, func(stall *tree.Node) bool {
			from, length := number(stall.Span, "stall.start_time"), number(stall.Span, "stall.duration")
			return text(stall.Span, "stall.cause") == f.Cause && from < f.End && from+length > f.Start
		})
		if f.Overlap >= brief && !told {
			missing = append(missing, f)
		}
	}
	return missing
}

// number reads an instant, or a duration in seconds as nanoseconds.
func number(span ptrace.Span, key string) int64 {
	value, _ := span.Attributes().Get(key)
	if seconds := value.Double(); seconds != 0 {
		return int64(seconds * float64(time.Second))
	}
	return value.Int()
}

func text(span ptrace.Span, key string) string {
	value, _ := span.Attributes().Get(key)
	return value.Str()
}

// TestRequestsNameTheBlocker checks who is said to have kept the GPU busy: a request
// that had more work than the others; and those with n = 8 and logprobs = 20, whose
// every step is long, are named by requests that ran beside them.
func TestRequestsNameTheBlocker(t *testing.T) {
	all := verdicts(t, fromEnvironment(t, "GPUCAUSE_E2E_VERDICTS"))
	kind := func(id string) string {
		i := slices.IndexFunc(all, func(v verdict) bool { return strings.Contains(id, v.RequestID) })
		require.GreaterOrEqual(t, i, 0, "no request is %s", id)
		return all[i].Kind
	}
	named := map[string]int{}
	for _, r := range requests(exported(t, fromEnvironment(t, "GPUCAUSE_E2E_TRACES"))) {
		for _, sum := range r.sums {
			blocker := text(sum.Span, "stall.blocker.id")
			if _, self := sum.Span.Attributes().Get("stall.blocker.self"); blocker != "" && !self {
				named[kind(blocker)]++
				assert.Contains(t, text(sum.Span, "stall.summary"), blocker)
			}
		}
	}
	t.Logf("who is named as the GPU's work by others, by kind: %v", named)
	assert.Positive(t, named["blocker"])
	assert.LessOrEqual(t, named["short"], named["blocker"], "short requests are little work")
}

// TestRequestsInJaeger opens a request that met a fault, as a user would: what it met
// is told. Those that met nothing have no stalls there either.
func TestRequestsInJaeger(t *testing.T) {
	j := jaeger(fromEnvironment(t, "GPUCAUSE_E2E_JAEGER"))
	met := map[string]verdict{}
	for _, v := range verdicts(t, fromEnvironment(t, "GPUCAUSE_E2E_VERDICTS")) {
		met[v.TraceID] = v
	}
	stored := j.traces(t, client)
	require.NotEmpty(t, stored)
	var slow, fast, wrong int
	for _, trace := range stored {
		r := requestOf(trace)
		eachParent(t, []*tree.Trace{trace}, childrenInside)
		eachParent(t, []*tree.Trace{trace}, noWarning)
		switch v := met[trace.ID.String()]; v.Verdict {
		case "affected":
			if !v.long() {
				continue
			}
			slow++
			if slow == 1 {
				t.Log("\n" + tree.Print(trace, tree.Style{Width: 160}))
				assert.Empty(t, r.missing(&v))
				linksToItsStalls(t, j, r)
			}
		case "unaffected":
			fast++
			if len(r.stalls) > 0 {
				wrong++
			}
		}
	}
	t.Logf("%d slow requests and %d fast ones in Jaeger, %d of these with stalls", slow, fast, wrong)
	assert.Positive(t, slow)
	assert.Positive(t, fast-wrong)
	assert.LessOrEqual(t, float64(wrong), mostWrong*float64(fast))
}

// linksToItsStalls checks that a request leads to the whole story of its stalls.
func linksToItsStalls(t *testing.T, j jaeger, r *request) {
	t.Helper()
	require.NotEmpty(t, r.sums, "a summary")
	require.NotEmpty(t, r.stalls)
	stalls := map[string]*tree.Trace{}
	for _, trace := range j.traces(t, server) {
		stalls[trace.ID.String()] = trace
	}
	for _, stall := range r.stalls {
		require.Equal(t, 1, stall.Span.Links().Len())
		link := stall.Span.Links().At(0)
		whole, ok := stalls[link.TraceID().String()]
		require.True(t, ok, "the stall's own trace is in Jaeger")
		root := whole.Roots[0]
		assert.Equal(t, link.SpanID(), root.Span.SpanID())
		assert.Equal(t, "dispatch cycle", root.Span.Name())
		assert.Equal(t, text(stall.Span, "stall.cause"), text(root.Span, "stall.cause"))
		assert.Equal(t, fmt.Sprint(root.Span.StartTimestamp().AsTime().UnixNano()), fmt.Sprint(number(stall.Span, "stall.start_time")))
	}
}
