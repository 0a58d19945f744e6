//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/gpucause/gpucause/internal/cmd/tracetree/tree"
)

// What is asked of the join: of the requests that met a fault, how many carry it at
// least; of those that met nothing, how many carry a stall at most; and of the stalls
// that are shown in requests that met a fault, how many are none that happened then.
const (
	fewestRight = 0.98
	mostWrong   = 0.01
	mostUntrue  = 0.02
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
	all := readRuns(t, fromEnvironment(t, "GPUCAUSE_E2E_VERDICTS"))
	var affected, right, unaffected, wrong, shown, untrue int
	for _, v := range all {
		r, ok := told[v.TraceID]
		require.True(t, ok, "request %s has no trace", v.TraceID)
		switch v.Verdict {
		case "affected":
			stalls, none := r.untrue(t, &v, all)
			shown, untrue = shown+stalls, untrue+none
			if !v.long() {
				continue
			}
			affected++
			if missing := r.missing(&v.verdict); len(missing) == 0 {
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
	t.Logf("%d of %d affected requests carry the right stalls; %d of %d others carry any; %d of %d stalls that are shown in affected requests are untrue",
		right, affected, wrong, unaffected, untrue, shown)
	require.Greater(t, affected, 20)
	require.Greater(t, unaffected, 20)
	require.Positive(t, shown)
	assert.GreaterOrEqual(t, float64(right), fewestRight*float64(affected))
	assert.LessOrEqual(t, float64(wrong), mostWrong*float64(unaffected))
	assert.LessOrEqual(t, float64(untrue), mostUntrue*float64(shown))
}

// run is a request's verdict with the rest of what is known: when the client waited
// for it, and the cycles without a fault that were long while an engine had it.
type run struct {
	verdict
	Start      int64       `json:"start_unix_ns"`
	End        int64       `json:"end_unix_ns"`
	LongCycles []longCycle `json:"long_cycles"`
}

// longCycle is a cycle that was long without a fault. Why is not known, but who was
// in it.
type longCycle struct {
	fault
	Running []string // ids of sequences, which contain those of their requests
}

func readRuns(t *testing.T, path string) []run {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	var all []run
	for lines := json.NewDecoder(file); lines.More(); {
		var r run
		require.NoError(t, lines.Decode(&r))
		all = append(all, r)
	}
	return all
}

// untrue counts the stalls that a request shows, and those of them that did not
// happen while the client waited for it: neither is there a fault of that cause at
// the time, whichever request it was noted with, nor a cycle that was long without
// one. A stall that several sequences show counts once.
func (r *request) untrue(t *testing.T, v *run, all []run) (shown, untrue int) {
	t.Helper()
	counted := make(map[pcommon.SpanID]bool)
	for _, stall := range r.stalls {
		require.Equal(t, 1, stall.Span.Links().Len(), "a stall links to its own trace")
		link := stall.Span.Links().At(0).SpanID()
		if counted[link] {
			continue
		}
		counted[link] = true
		shown++
		if !happened(stall.Span, v, all) {
			untrue++
			t.Logf("%s did not happen to\n%s", stall.Span.Name(), tree.Print(r.trace, tree.Style{Width: 200}))
		}
	}
	return shown, untrue
}

// happened looks for what a stall is of in the reports of all requests: one request
// notes only what it met in the engine, not on its way there and back.
func happened(stall ptrace.Span, v *run, all []run) bool {
	from := number(stall, "stall.start_time")
	until := from + number(stall, "stall.duration")
	middle := from + (until-from)/2
	if from >= v.End || until <= v.Start {
		return false
	}
	return slices.ContainsFunc(all, func(other run) bool {
		return slices.ContainsFunc(other.Faults, func(f fault) bool {
			return text(stall, "stall.cause") == f.Cause && from < f.End && until > f.Start
		}) || slices.ContainsFunc(other.LongCycles, func(c longCycle) bool { return c.Start <= middle && middle < c.End })
	})
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
// that had more work than the others. Those with n = 8 and logprobs = 20, whose every
// step is long, are named by most of their victims that name anybody.
func TestRequestsNameTheBlocker(t *testing.T) {
	all := readRuns(t, fromEnvironment(t, "GPUCAUSE_E2E_VERDICTS"))
	told := requests(exported(t, fromEnvironment(t, "GPUCAUSE_E2E_TRACES")))
	named := map[string]int{} // by kind, by anybody
	var victims, blaming, right int
	for _, v := range all {
		blockers := v.blockers(all)
		if len(blockers) > 0 {
			victims++
		}
		for _, name := range told[v.TraceID].blamed(t) {
			named[kindOf(t, name, all)]++
			if len(blockers) == 0 {
				continue
			}
			blaming++
			if slices.ContainsFunc(blockers, func(id string) bool { return strings.Contains(name, id) }) {
				right++
			} else {
				t.Logf("%s is named, not one of %v, in\n%s", name, blockers, tree.Print(told[v.TraceID].trace, tree.Style{Width: 200}))
			}
		}
	}
	t.Logf("who is named as the GPU's work by others, by kind: %v; of %d victims of a blocker %d name somebody, %d of them that one", named, victims, blaming, right)
	require.Positive(t, victims)
	require.Positive(t, right)
	assert.Greater(t, 2*right, blaming, "most")
	assert.LessOrEqual(t, named["short"], named["blocker"], "short requests are little work")
}

// blockers are the head-of-line blockers that a request was a victim of: those that
// were in most of the time that it spent in long cycles, if it is none itself. The
// ids are those of the requests.
func (r *run) blockers(all []run) []string {
	var ids []string
	for _, other := range all {
		if other.Kind != "blocker" || r.Kind == "blocker" {
			continue
		}
		var beside, whole int64
		for _, c := range r.LongCycles {
			whole += c.Overlap
			if slices.ContainsFunc(c.Running, func(id string) bool { return strings.Contains(id, other.RequestID) }) {
				beside += c.Overlap
			}
		}
		if 2*beside > whole {
			ids = append(ids, other.RequestID)
		}
	}
	return ids
}

// blamed returns whom the summaries of a request's sequences name as the GPU's work,
// but for the request itself.
func (r *request) blamed(t *testing.T) (names []string) {
	t.Helper()
	if r == nil {
		return nil
	}
	for _, sum := range r.sums {
		name := text(sum.Span, "stall.blocker.id")
		if _, self := sum.Span.Attributes().Get("stall.blocker.self"); name != "" && !self {
			assert.Contains(t, text(sum.Span, "stall.summary"), name)
			names = append(names, name)
		}
	}
	return names
}

func kindOf(t *testing.T, id string, all []run) string {
	t.Helper()
	i := slices.IndexFunc(all, func(r run) bool { return strings.Contains(id, r.RequestID) })
	require.GreaterOrEqual(t, i, 0, "no request is %s", id)
	return all[i].Kind
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
