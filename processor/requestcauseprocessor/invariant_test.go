package requestcauseprocessor

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/spans"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/stall"
)

// spanKey names a span.
type spanKey struct {
	trace pcommon.TraceID
	span  pcommon.SpanID
}

func keyOf(span ptrace.Span) spanKey { return spanKey{span.TraceID(), span.SpanID()} }

// checkAppended checks what must hold of everything that comes out, whatever
// went in: what was there is unchanged, and what was appended fits to it. Stalls
// are the roots of all stalls that went in before.
func checkAppended(t testing.TB, before []byte, out ptrace.Traces, stalls map[spanKey][]ptrace.Span) {
	t.Helper()
	require.True(t, bytes.HasPrefix(marshal(t, out), before), "what was there is the beginning of what comes out")
	given, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(before)
	require.NoError(t, err)
	parents := make(map[spanKey][]ptrace.Span)
	seen := make(map[spanKey]bool)
	for _, span := range spansWhere(func(string) bool { return true }, given) {
		parents[keyOf(span)] = append(parents[keyOf(span)], span)
	}
	for i := given.ResourceSpans().Len(); i < out.ResourceSpans().Len(); i++ {
		for _, scope := range out.ResourceSpans().At(i).ScopeSpans().All() {
			require.Equal(t, spans.ScopeName, scope.Scope().Name())
			for _, span := range scope.Spans().All() {
				require.False(t, seen[keyOf(span)], "%s: ids are unique", span.Name())
				seen[keyOf(span)] = true
				checkSpan(t, span, parents, stalls)
			}
		}
	}
}

func checkSpan(t testing.TB, span ptrace.Span, parents map[spanKey][]ptrace.Span, stalls map[spanKey][]ptrace.Span) {
	t.Helper()
	require.False(t, span.SpanID().IsEmpty())
	require.Less(t, span.StartTimestamp(), span.EndTimestamp(), span.Name())
	up := spanKey{span.TraceID(), span.ParentSpanID()}
	if span.Name() == "delayed requests" {
		require.True(t, slices.ContainsFunc(stalls[up], func(root ptrace.Span) bool { return fits(span, root) }),
			"it does not stick out of the stall")
	} else {
		require.True(t, slices.ContainsFunc(parents[up], func(parent ptrace.Span) bool { return fits(span, parent) }),
			"%s does not stick out of its request", span.Name())
	}
	require.Empty(t, parents[keyOf(span)], "no id is one that was there")
	for key, value := range span.Attributes().All() {
		require.False(t, strings.HasPrefix(key, "gen_ai."), key)
		checkShare(t, key, value)
	}
	for _, link := range span.Links().All() {
		require.False(t, link.TraceID().IsEmpty() || link.SpanID().IsEmpty())
	}
}

// line is how a neighbour is written.
var line = regexp.MustCompile(`: (?:n \d+, )?(?:logprobs \d+, )?\d+ prompt and \d+ completion tokens, beside it for [\d.]+ m?s, (\d+) % of the known work$`)

// checkShare checks that what is a part of something is one.
func checkShare(t testing.TB, key string, value pcommon.Value) {
	t.Helper()
	switch {
	case key == "stall.share", key == "stall.blocker.share", strings.HasPrefix(key, "stall.phase."):
		require.GreaterOrEqual(t, value.Double(), 0.0, key)
		require.LessOrEqual(t, value.Double(), 1.0, key)
	case key == "stall.neighbours":
		for _, neighbour := range value.Slice().All() {
			parts := line.FindStringSubmatch(neighbour.Str())
			require.NotNil(t, parts, neighbour.Str())
			share, err := strconv.Atoi(parts[1])
			require.NoError(t, err)
			require.LessOrEqual(t, share, 100)
		}
	}
}

func fits(span, parent ptrace.Span) bool {
	return parent.StartTimestamp() <= span.StartTimestamp() && span.EndTimestamp() <= parent.EndTimestamp()
}

func rootsIn(traces ...ptrace.Traces) map[spanKey][]ptrace.Span {
	roots := make(map[spanKey][]ptrace.Span)
	for _, span := range spansWhere(func(string) bool { return true }, traces...) {
		if span.Name() == "dispatch cycle" {
			roots[keyOf(span)] = append(roots[keyOf(span)], span)
		}
	}
	return roots
}

// TestRandomWorlds sends random requests and random stalls, some of which make
// no sense, in random order.
func TestRandomWorlds(t *testing.T) {
	for seed := range uint64(60) {
		synctest.Test(t, func(t *testing.T) { randomWorld(t, rand.New(rand.NewPCG(seed, 3))) })
	}
}

func randomWorld(t *testing.T, random *rand.Rand) {
	sink := new(consumertest.TracesSink)
	f := fixtureOn(t, machine{hostID: hostID, procs: vllmServer{}}, func(c *Config) {
		c.Spans.Top = uint32(random.IntN(5))
		c.Spans.MaxRequestsPerStall = uint32(random.IntN(4))
		c.Spans.MaxPerSecond = uint32(1 + random.IntN(200))
		c.Stalls.MinOverlap = time.Duration(1 + random.IntN(1e6))
	}, sink)
	f.start(t)
	begin := time.Now()
	time.Sleep(20 * time.Second)
	stalls := make(map[spanKey][]ptrace.Span)
	before := make(map[spanKey][]byte)
	for n := range 40 {
		traces := randomStalls(random, begin)
		for key, roots := range rootsIn(traces) {
			stalls[key] = append(stalls[key], roots...)
		}
		require.NoError(t, f.ConsumeTraces(context.Background(), traces))
		requests := randomRequests(random, n, begin)
		first := keyOf(requests.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0))
		before[first] = marshal(t, requests)
		require.NoError(t, f.ConsumeTraces(fromAPIServer(), requests))
		time.Sleep(time.Duration(random.IntN(200)) * time.Millisecond)
	}
	f.stop(t)
	joined := 0
	for _, out := range sink.AllTraces() {
		span := out.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
		if raw, ok := before[keyOf(span)]; ok {
			checkAppended(t, raw, out, stalls)
			joined += len(appended(out))
		}
	}
	require.Positive(t, joined)
}

func randomStalls(random *rand.Rand, begin time.Time) ptrace.Traces {
	var cycles []cycle
	for range 1 + random.IntN(5) {
		start := begin.Add(time.Duration(random.IntN(20_000)) * time.Millisecond)
		cycles = append(cycles, cycle{
			pid: 101, tid: 101 + int64(random.IntN(3)), start: start, end: start.Add(time.Duration(1 + random.IntN(int(400*time.Millisecond)))),
			cause: []string{"lock", "gpu_busy", "io", ""}[random.IntN(4)], typical: time.Duration(random.IntN(int(20 * time.Millisecond))),
		})
	}
	traces := stallTraces(cycles...)
	if random.IntN(5) == 0 {
		spoil(random, traces.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0))
	}
	return traces
}

func randomRequests(random *rand.Rand, n int, begin time.Time) ptrace.Traces {
	var calls []call
	for i := range 1 + random.IntN(4) {
		calls = append(calls, call{
			n: 100*n + i, start: begin.Add(time.Duration(random.IntN(20_000)) * time.Millisecond),
			queue: randomTime(random), prefill: randomTime(random), decode: randomTime(random), lag: randomTime(random),
			prompt: int64(random.IntN(1000)), completion: int64(random.IntN(1000)), id: fmt.Sprint("r", random.IntN(50)),
		})
	}
	traces := vllmTraces(calls...)
	for _, span := range traces.ResourceSpans().At(0).ScopeSpans().At(0).Spans().All() {
		if random.IntN(4) == 0 {
			spoil(random, span)
		}
	}
	return traces
}

func randomTime(random *rand.Rand) time.Duration {
	return time.Duration(1 + random.IntN(int(500*time.Millisecond)))
}

// spoil makes a span that makes no sense, but for its id.
func spoil(random *rand.Rand, span ptrace.Span) {
	attributes := span.Attributes()
	switch random.IntN(9) {
	case 0:
		span.SetEndTimestamp(span.StartTimestamp() - 1)
	case 1:
		span.SetStartTimestamp(math.MaxUint64)
	case 2:
		span.SetStartTimestamp(0)
	case 3:
		span.SetEndTimestamp(math.MaxInt64)
	case 4:
		attributes.PutDouble("gen_ai.latency.e2e", math.Inf(1))
		attributes.PutDouble("gen_ai.latency.time_to_first_token", -3)
	case 5:
		attributes.PutStr("gen_ai.latency.time_to_first_token", "soon")
		attributes.PutEmptySlice("gen_ai.request.id").AppendEmpty().SetStr("x")
	case 6:
		attributes.PutStr("stall.summary", strings.Repeat("long ", 10_000))
		attributes.PutStr("gen_ai.request.id", strings.Repeat("long ", 10_000))
	case 7:
		span.SetParentSpanID(span.SpanID())
	case 8:
		attributes.PutInt("gen_ai.request.logprobs", math.MaxInt64-random.Int64N(2))
		attributes.PutInt("gen_ai.usage.completion_tokens", random.Int64())
	}
}

// hugeTraces are requests that claim more work than there can be.
func hugeTraces() ptrace.Traces {
	traces := vllmTraces(aCall(1, fuzzBegin), aCall(2, fuzzBegin), aCall(3, fuzzBegin), aCall(4, fuzzBegin))
	huge := traces.ResourceSpans().At(0).ScopeSpans().At(0).Spans()
	huge.At(0).Attributes().PutInt("gen_ai.request.logprobs", math.MaxInt64)
	huge.At(1).Attributes().PutInt("gen_ai.usage.completion_tokens", math.MaxInt64)
	for n := 2; n < 4; n++ { // two sequences of one request
		huge.At(n).Attributes().PutStr("gen_ai.request.id", "cmpl-huge")
		huge.At(n).Attributes().PutInt("gen_ai.usage.completion_tokens", math.MaxInt64)
		huge.At(n).Attributes().PutStr("gen_ai.usage.prompt_tokens", "9223372036854775807")
	}
	return traces
}

// fuzzed sends a payload, twice, after stalls of the engine, and checks what
// comes out. It is two seconds after fuzzBegin then.
func fuzzed(t *testing.T, traces ptrace.Traces) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(fuzzBegin.Add(2 * time.Second)))
		fuzzedNow(t, traces)
	})
}

func fuzzedNow(t *testing.T, traces ptrace.Traces) {
	t.Helper()
	sink := new(consumertest.TracesSink)
	fix := fixtureOn(t, machine{hostID: hostID, procs: vllmServer{}}, func(c *Config) {
		c.Wait, c.Stalls.Retention = 0, time.Hour
	}, sink)
	fix.start(t)
	known := stallTraces(aStall(fuzzBegin), cycle{pid: 101, tid: 102, start: time.Unix(0, 1), end: time.Now(), cause: "gpu_busy"})
	require.NoError(t, fix.ConsumeTraces(context.Background(), known))
	stalls := rootsIn(known, traces)
	before := marshal(t, traces)
	again := ptrace.NewTraces()
	traces.CopyTo(again)
	require.NoError(t, fix.ConsumeTraces(fromAPIServer(), traces))
	require.NoError(t, fix.ConsumeTraces(context.Background(), again))
	fix.drain(t)
	require.Zero(t, fix.count(t, "requestcause_panics"))
	for _, out := range sink.AllTraces()[1:] {
		checkAppended(t, before, out, stalls)
	}
	require.LessOrEqual(t, fix.count(t, "requestcause_store_bytes"), int64(64<<20))
	fix.stop(t)
}

var fuzzBegin = time.Unix(1795420278, 67292416)

// FuzzPayload sends any payload.
func FuzzPayload(f *testing.F) {
	for _, traces := range fixtures(f) {
		f.Add(marshal(f, traces))
	}
	f.Add(marshal(f, vllmTraces(aCall(1, fuzzBegin), aCall(2, fuzzBegin))))
	f.Add(marshal(f, stallTraces(aStall(fuzzBegin))))
	f.Add(marshal(f, sglangTraces(fuzzBegin)))
	f.Add(marshal(f, hugeTraces()))
	both := vllmTraces(aCall(1, fuzzBegin))
	stallTraces(aStall(fuzzBegin)).ResourceSpans().MoveAndAppendTo(both.ResourceSpans())
	f.Add(marshal(f, both))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if traces, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(raw); err == nil {
			fuzzed(t, traces)
		}
	})
}

// FuzzSpan sends spans in which everything that is read may be anything.
func FuzzSpan(f *testing.F) {
	at := uint64(fuzzBegin.UnixNano())
	for _, scope := range []string{"vllm.tracing.otel", "sglang server", "trt.llm", stall.ScopeName, spans.ScopeName, ""} {
		f.Add(at, at+1e9, uint64(7), uint64(0), scope, "llm_request", "gen_ai.latency.time_to_first_token", "text", 0.3)
		f.Add(at, at+1e9, uint64(7), uint64(7), scope, "dispatch cycle", "process.pid", "101", math.Inf(-1))
		f.Add(at, at+1e9, uint64(7), uint64(0), scope, "llm_request", "gen_ai.usage.completion_tokens", "9223372036854775807", 9.2e18)
		f.Add(uint64(0), uint64(math.MaxUint64), uint64(0), uint64(0), scope, "Scheduler (host:a | pid:1)", "gpucause.process_group", hostID+"/101", math.NaN())
	}
	f.Fuzz(func(t *testing.T, start, end, id, parent uint64, scope, name, key, text string, number float64) {
		traces := ptrace.NewTraces()
		for n := range 3 {
			resource := traces.ResourceSpans().AppendEmpty()
			putAny(resource.Resource().Attributes(), n, key, text, number)
			within := resource.ScopeSpans().AppendEmpty()
			within.Scope().SetName(scope)
			for i := range uint64(2) {
				span := within.Spans().AppendEmpty()
				span.SetName(name)
				span.SetTraceID(pcommon.TraceID{byte(id), byte(id >> 8)})
				span.SetSpanID(pcommon.SpanID{byte(id), byte(i)})
				span.SetParentSpanID(pcommon.SpanID{byte(parent), byte(parent >> 8)})
				span.SetStartTimestamp(pcommon.Timestamp(start + i))
				span.SetEndTimestamp(pcommon.Timestamp(end - i))
				putAny(span.Attributes(), n, key, text, number)
				span.Attributes().PutInt("thread.id", int64(number))
				span.Attributes().PutStr("stall.kind", "stall")
				span.Attributes().PutStr("host_id", text)
				span.Attributes().PutInt("pid", int64(number))
				span.Attributes().PutStr("thread_label", text)
			}
		}
		fuzzed(t, traces)
	})
}

// putAny puts an attribute of one of three types.
func putAny(attributes pcommon.Map, which int, key, text string, number float64) {
	switch which {
	case 0:
		attributes.PutStr(key, text)
	case 1:
		attributes.PutDouble(key, number)
	default:
		attributes.PutInt(key, int64(number))
	}
}
