package requestcauseprocessor

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/attribute"
)

// sampler is what a tail sampler does to what passes it: traces are put together
// and wait, some are dropped, and the others go on one by one, without a word
// about who sent them.
type sampler struct {
	keep   func(ptrace.Traces) bool
	next   consumer.Traces
	traces map[pcommon.TraceID]ptrace.Traces
	order  []pcommon.TraceID
}

func (*sampler) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (s *sampler) ConsumeTraces(_ context.Context, traces ptrace.Traces) error {
	if s.traces == nil {
		s.traces = make(map[pcommon.TraceID]ptrace.Traces)
	}
	for _, resource := range traces.ResourceSpans().All() {
		for _, scope := range resource.ScopeSpans().All() {
			for _, span := range scope.Spans().All() {
				s.add(resource, scope, span)
			}
		}
	}
	return nil
}

func (s *sampler) add(resource ptrace.ResourceSpans, scope ptrace.ScopeSpans, span ptrace.Span) {
	trace, ok := s.traces[span.TraceID()]
	if !ok {
		trace = ptrace.NewTraces()
		s.traces[span.TraceID()] = trace
		s.order = append(s.order, span.TraceID())
	}
	added := trace.ResourceSpans().AppendEmpty()
	resource.Resource().CopyTo(added.Resource())
	within := added.ScopeSpans().AppendEmpty()
	scope.Scope().CopyTo(within.Scope())
	span.CopyTo(within.Spans().AppendEmpty())
}

func (s *sampler) decide(t *testing.T) {
	t.Helper()
	for _, id := range s.order {
		if s.keep(s.traces[id]) {
			require.NoError(t, s.next.ConsumeTraces(context.Background(), s.traces[id]))
		}
	}
}

func hasSpan(traces ptrace.Traces, keep func(ptrace.Span) bool) bool {
	for _, span := range spansWhere(func(string) bool { return true }, traces) {
		if keep(span) {
			return true
		}
	}
	return false
}

// isCall reports whether a trace is that of a call.
func isCall(c call) func(ptrace.Traces) bool {
	return func(traces ptrace.Traces) bool {
		return hasSpan(traces, func(span ptrace.Span) bool { return span.TraceID() == c.traceID() })
	}
}

func isStallTrace(traces ptrace.Traces) bool {
	return hasSpan(traces, func(span ptrace.Span) bool { return span.Name() == "dispatch cycle" })
}

// TestBeforeASampler is the first layout: the join comes first, and the sampler
// may ask whether a request met a stall.
func TestBeforeASampler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := new(consumertest.TracesSink)
		sampled := &sampler{next: sink, keep: func(traces ptrace.Traces) bool {
			return hasSpan(traces, func(span ptrace.Span) bool { return valueOf(span, "stall.cause") == "lock" })
		}}
		f := fixtureTo(t, nil, sampled)
		f.start(t)
		begin := time.Now()
		slow, fast := aCall(1, begin), aCall(2, begin.Add(time.Second))
		time.Sleep(3 * time.Second)
		require.NoError(t, f.ConsumeTraces(context.Background(), stallTraces(aStall(begin))))
		require.NoError(t, f.ConsumeTraces(fromAPIServer(), vllmTraces(slow, fast)))
		f.stop(t)
		sampled.decide(t)
		require.Len(t, sink.AllTraces(), 2, "the slow request and the stall")
		stalls, summary := childrenOf(appended(sink.AllTraces()...), &slow)
		assert.Len(t, stalls, 1)
		assert.NotNil(t, summary)
	})
}

// TestBehindASampler is the second layout: one instance finds out who sent what
// while it can be told, and another one joins what the sampler has kept.
func TestBehindASampler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow, dropped := aCall(1, time.Now()), aCall(2, time.Now())
		join := newFixture(t, func(c *Config) { c.Wait = 2 * time.Second })
		join.start(t)
		sampled := &sampler{next: join, keep: func(traces ptrace.Traces) bool {
			return isCall(slow)(traces) || isStallTrace(traces)
		}}
		resolve := fixtureTo(t, func(c *Config) { c.Mode = ModeResolve }, sampled)
		resolve.start(t)
		time.Sleep(2 * time.Second)
		requests := vllmTraces(slow, dropped)
		requests.ResourceSpans().At(0).Resource().Attributes().Remove("vllm.process_id") // only the connection tells
		require.NoError(t, resolve.ConsumeTraces(context.Background(), stallTraces(aStall(slow.start))))
		synctest.Wait()
		require.NoError(t, resolve.ConsumeTraces(fromAPIServer(), requests))
		time.Sleep(30 * time.Second)
		sampled.decide(t)
		resolve.stop(t)
		join.stop(t)

		added := appended(join.out.AllTraces()...)
		stalls, summary := childrenOf(added, &slow)
		require.Len(t, stalls, 1)
		assert.Equal(t, "stamp", valueOf(*summary, "stall.evidence"))
		none, _ := childrenOf(added, &dropped)
		assert.Empty(t, none, "nothing is left of what was dropped")
	})
}

// TestBehindASamplerNobodyElseIsJoined has a sender that the first instance has
// seen to be somebody else, and of which the second one knows the host alone.
func TestBehindASamplerNobodyElseIsJoined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := aCall(1, time.Now())
		join := newFixture(t, nil)
		join.start(t)
		sampled := &sampler{next: join, keep: func(ptrace.Traces) bool { return true }}
		resolve := fixtureTo(t, func(c *Config) { c.Mode = ModeResolve }, sampled)
		resolve.start(t)
		time.Sleep(2 * time.Second)
		requests := vllmTraces(c)
		attributes := requests.ResourceSpans().At(0).Resource().Attributes()
		attributes.Remove("vllm.process_id")
		attributes.PutStr("host.name", "node-1")
		require.NoError(t, resolve.ConsumeTraces(context.Background(), stallTraces(aStall(c.start))))
		synctest.Wait()
		require.NoError(t, resolve.ConsumeTraces(fromPeer("127.0.0.1:50000"), requests))
		sampled.decide(t)
		assert.Zero(t, resolve.count(t, "requestcause_resources_stamped"))
		resolve.stop(t)
		join.drain(t)
		assert.Empty(t, appended(join.out.AllTraces()...))
		assert.Equal(t, int64(1), join.count(t, "requestcause_requests_unresolved"))
		join.stop(t)
	})
}

func TestResolveOnlyStamps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(c *Config) { c.Mode = ModeResolve })
		f.start(t)
		begin := time.Now()
		require.NoError(t, f.ConsumeTraces(context.Background(), stallTraces(aStall(begin))))
		synctest.Wait() // for a look at the new process
		f.out.Reset()
		traces := vllmTraces(aCall(1, begin))
		before := marshal(t, traces)
		require.NoError(t, f.ConsumeTraces(fromAPIServer(), traces))
		require.Len(t, f.out.AllTraces(), 1, "at once")
		attributes := f.out.AllTraces()[0].ResourceSpans().At(0).Resource().Attributes()
		stamp, ok := attributes.Get("gpucause.process_group")
		require.True(t, ok)
		assert.Equal(t, hostID+"/101", stamp.Str())
		attributes.Remove("gpucause.process_group")
		assert.Equal(t, before, marshal(t, f.out.AllTraces()[0]))
		assert.Equal(t, int64(1), f.count(t, "requestcause_resources_stamped"))
		f.stop(t)
	})
}

func TestAForgedStampIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(c *Config) { c.Mode = ModeResolve })
		f.start(t)
		begin := time.Now()
		require.NoError(t, f.ConsumeTraces(context.Background(), stallTraces(aStall(begin))))
		synctest.Wait() // for a look at the new process
		f.out.Reset()
		traces := vllmTraces(aCall(1, begin))
		traces.ResourceSpans().At(0).Resource().Attributes().PutStr("gpucause.process_group", hostID+"/101")
		traces.ResourceSpans().At(0).Resource().Attributes().PutStr("vllm.process_id", "4000")
		require.NoError(t, f.ConsumeTraces(fromPeer("127.0.0.1:50000"), traces))
		stamp, ok := f.out.AllTraces()[0].ResourceSpans().At(0).Resource().Attributes().Get("gpucause.process_group")
		require.True(t, ok)
		assert.Equal(t, "none", stamp.Str())
		assert.Equal(t, int64(1), f.count(t, "requestcause_requests_unresolved"))
		f.stop(t)
	})
}

// sglangTraces are a request's span and that of a scheduler's thread, as SGLang
// sends them.
func sglangTraces(start time.Time) ptrace.Traces {
	traces := ptrace.NewTraces()
	at := func(d time.Duration) pcommon.Timestamp { return pcommon.NewTimestampFromTime(start.Add(d)) }
	add := func(name string, id, parent byte) ptrace.Span {
		resource := traces.ResourceSpans().AppendEmpty()
		resource.Resource().Attributes().PutStr("service.name", "sglang")
		scope := resource.ScopeSpans().AppendEmpty()
		scope.Scope().SetName("sglang server")
		span := scope.Spans().AppendEmpty()
		span.SetName(name)
		span.SetKind(ptrace.SpanKindInternal)
		span.SetTraceID(pcommon.TraceID{7})
		span.SetSpanID(pcommon.SpanID{id})
		if parent != 0 {
			span.SetParentSpanID(pcommon.SpanID{parent})
		}
		span.SetStartTimestamp(at(0))
		span.SetEndTimestamp(at(time.Second))
		return span
	}
	root := add(" Req 1a2b3c4d", 1, 0)
	root.Attributes().PutStr("rid", "1a2b3c4d")
	root.Attributes().PutStr("module", "sglang::request")
	root.Attributes().PutInt("gen_ai.usage.prompt_tokens", 512)
	root.Attributes().PutInt("gen_ai.usage.completion_tokens", 128)
	thread := add("Scheduler [TP 0] (host:4c4c4544 | pid:101)", 2, 1)
	thread.Attributes().PutStr("host_id", hostID)
	thread.Attributes().PutInt("pid", 101)
	thread.Attributes().PutStr("thread_label", "Scheduler")
	thread.Attributes().PutInt("tp_rank", 0)
	return traces
}

// TestSGLang joins by the thread that a span names, and shows each stall once.
func TestSGLang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		f.start(t)
		begin := time.Now()
		time.Sleep(2 * time.Second)
		mine, others := aStall(begin), aStall(begin.Add(300*time.Millisecond))
		others.tid, others.cause = 102, "io"
		require.NoError(t, f.ConsumeTraces(context.Background(), stallTraces(mine, others)))
		require.NoError(t, f.ConsumeTraces(fromAPIServer(), sglangTraces(begin)))
		f.drain(t)
		added := appended(f.out.AllTraces()[1])
		byParent := make(map[pcommon.SpanID][]string)
		for _, span := range added {
			if span.TraceID() == (pcommon.TraceID{7}) {
				byParent[span.ParentSpanID()] = append(byParent[span.ParentSpanID()], span.Name())
			}
		}
		assert.Equal(t, []string{"stalls"}, byParent[pcommon.SpanID{1}], "the request has the summary of all")
		assert.Equal(t, []string{"stall: lock", "stalls"}, byParent[pcommon.SpanID{2}], "the thread has its own")
		for _, span := range added {
			if span.Name() == "stall: lock" {
				assert.Equal(t, "thread", valueOf(span, "stall.scope"))
			}
		}
		assert.Equal(t, int64(1), f.count(t, "requestcause_requests_joined", attribute.String("evidence", "thread")))
		f.stop(t)
	})
}

// TestGateway has stalls of another machine, whose processes cannot be looked at.
func TestGateway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := new(consumertest.TracesSink)
		f := fixtureOn(t, machine{hostID: "another", hostName: "gateway", procs: vllmServer{}}, nil, sink)
		f.start(t)
		begin := time.Now()
		time.Sleep(2 * time.Second)
		c := aCall(1, begin)
		requests := vllmTraces(c)
		requests.ResourceSpans().At(0).Resource().Attributes().PutStr("host.name", "node-1")
		require.NoError(t, f.ConsumeTraces(fromPeer("10.0.0.5:4317"), stallTraces(aStall(begin))))
		require.NoError(t, f.ConsumeTraces(fromPeer("10.0.0.5:4317"), requests))
		f.stop(t)
		stalls, summary := childrenOf(appended(sink.AllTraces()...), &c)
		require.Len(t, stalls, 1)
		assert.Equal(t, "process", valueOf(*summary, "stall.evidence"))
	})
}

// TestAlreadyJoined has two instances behind each other by mistake.
func TestAlreadyJoined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		second := newFixture(t, nil)
		first := fixtureTo(t, nil, second)
		first.start(t)
		second.start(t)
		begin := time.Now()
		time.Sleep(2 * time.Second)
		ctx := client.NewContext(context.Background(), client.Info{})
		require.NoError(t, first.ConsumeTraces(ctx, stallTraces(aStall(begin))))
		require.NoError(t, first.ConsumeTraces(fromAPIServer(), vllmTraces(aCall(1, begin))))
		first.stop(t)
		second.drain(t)
		assert.Len(t, appended(second.out.AllTraces()...), 3)
		assert.Equal(t, int64(1), second.count(t, "requestcause_requests_left_out", attribute.String("reason", "repeated")))
		second.stop(t)
	})
}
