package requestcauseprocessor

import (
	"context"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap/confmaptest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/attribute"
)

// TestEverythingIsCounted sends one of each and reads the counters.
func TestEverythingIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(c *Config) {
			c.Spans.Top = 1
			c.Spans.MaxRequestsPerStall = 2
			c.Stalls.Retention = 10 * time.Second
		})
		f.start(t)
		begin := time.Now()
		time.Sleep(2 * time.Second)
		short := aStall(begin)
		short.start, short.end = begin.Add(200*time.Millisecond), begin.Add(210*time.Millisecond)
		baseline, old, broken := aStall(begin.Add(time.Second)), aStall(begin.Add(-time.Hour)), aStall(begin.Add(2*time.Second))
		baseline.kind, broken.tid = "baseline", 0
		require.NoError(t, f.ConsumeTraces(context.Background(), stallTraces(aStall(begin), short, baseline, old, broken)))
		require.NoError(t, f.ConsumeTraces(context.Background(), stallTraces(short)))

		requests := vllmTraces(
			aCall(1, begin), aCall(2, begin), aCall(3, begin),
			aCall(4, begin.Add(time.Second)), // meets nothing
			aCall(1, begin),                  // again
			call{n: 5, start: begin},         // takes no time
		)
		spans := requests.ResourceSpans().At(0).ScopeSpans().At(0).Spans()
		inner := aCall(6, begin)
		inner.trace = pcommon.TraceID{0, 4, 0, 0, 0, 0, 0, 1} // of call 1
		inner.parent = spans.At(0).SpanID()
		inner.write(spans.AppendEmpty())
		require.NoError(t, f.ConsumeTraces(fromAPIServer(), requests))
		stranger := vllmTraces(aCall(7, begin))
		stranger.ResourceSpans().At(0).Resource().Attributes().PutStr("vllm.process_id", "4000")
		require.NoError(t, f.ConsumeTraces(fromPeer("127.0.0.1:40002"), stranger))
		f.drain(t)

		reason := func(value string) attribute.KeyValue { return attribute.String("reason", value) }
		count := func(name string, with ...attribute.KeyValue) int {
			return int(f.count(t, "requestcause_"+name, with...))
		}
		assert.Equal(t, 5, count("requests_seen", attribute.String("rule", "vllm")))
		assert.Equal(t, 3, count("requests_joined", attribute.String("evidence", "peer")))
		assert.Equal(t, 1, count("requests_without_stalls"))
		assert.Equal(t, 1, count("requests_unresolved"))
		assert.Equal(t, 1, count("requests_left_out", reason("invalid")))
		assert.Equal(t, 1, count("requests_left_out", reason("nested")))
		assert.Equal(t, 1, count("requests_left_out", reason("repeated")))
		assert.Equal(t, 3, count("children_appended"))
		assert.Equal(t, 3, count("children_omitted", reason("top")))
		assert.Equal(t, 2, count("links_appended"))
		assert.Equal(t, 1, count("links_omitted"))
		assert.Equal(t, 2, count("payloads_held"))
		assert.Equal(t, 1, count("stalls_malformed"))
		f.stop(t)
	})
}

func TestWhatIsKnownIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(c *Config) { c.Stalls.Retention = 10 * time.Second })
		f.start(t)
		begin := time.Now()
		time.Sleep(2 * time.Second)
		baseline, old := aStall(begin.Add(time.Second)), aStall(begin.Add(-time.Hour))
		baseline.kind = "baseline"
		known := stallTraces(aStall(begin), baseline, old)
		for _, resource := range known.ResourceSpans().All() {
			resource.Resource().Attributes().PutStr(strings.Repeat("k", 1000), "x")
		}
		lost := stallTraces(aStall(begin))
		lost.ResourceSpans().At(0).Resource().Attributes().Clear()
		for _, traces := range []ptrace.Traces{known, stallTraces(aStall(begin)), lost} {
			require.NoError(t, f.ConsumeTraces(context.Background(), traces))
		}
		require.NoError(t, f.ConsumeTraces(fromAPIServer(), vllmTraces(aCall(1, begin))))
		synctest.Wait()

		count := func(name, key, value string) int {
			if key == "" {
				return int(f.count(t, "requestcause_"+name))
			}
			return int(f.count(t, "requestcause_"+name, attribute.String(key, value)))
		}
		assert.Equal(t, 1, count("stalls_stored", "", ""))
		assert.Equal(t, 1, count("stalls_refused", "reason", "kind"))
		assert.Equal(t, 1, count("stalls_refused", "reason", "time"))
		assert.Equal(t, 1, count("stalls_refused", "reason", "duplicate"))
		assert.Equal(t, 1, count("stalls_refused", "reason", "process"))
		assert.Equal(t, 1, count("store_stalls", "", ""))
		assert.Equal(t, 1, count("store_threads", "", ""))
		assert.Positive(t, count("store_bytes", "", ""))
		assert.Equal(t, 1, count("processes", "", ""))
		assert.Equal(t, 1, count("resource_attributes_omitted", "", ""))
		assert.Equal(t, 1, count("neighbours", "", ""))
		assert.Equal(t, 1, count("hold_payloads", "", ""))
		assert.Positive(t, count("hold_bytes", "", ""))
		assert.Equal(t, 1, count("peers", "result", "found"))
		assert.Equal(t, 1, count("process_looks", "", ""))
		time.Sleep(aWhile)
		assert.Equal(t, 1, count("stalls_evicted", "reason", "age"))
		assert.Zero(t, count("store_stalls", "", ""))
		assert.Zero(t, count("hold_bytes", "", ""))
		f.stop(t)
	})
}

func TestBudgetIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(c *Config) { c.Spans.MaxPerSecond = 2 }) // four at once, of which two are for summaries
		f.start(t)
		begin := time.Now()
		time.Sleep(2 * time.Second)
		other := aStall(begin.Add(200 * time.Millisecond))
		require.NoError(t, f.ConsumeTraces(context.Background(), stallTraces(aStall(begin), other)))
		calls := []call{aCall(1, begin), aCall(2, begin), aCall(3, begin), aCall(4, begin)}
		require.NoError(t, f.ConsumeTraces(fromAPIServer(), vllmTraces(calls...)))
		f.drain(t)
		added := appended(f.out.AllTraces()...)
		for n, want := range []struct {
			stalls  int
			summary bool
		}{{1, true}, {0, true}, {0, true}, {0, false}} {
			stalls, summary := childrenOf(added, &calls[n])
			assert.Len(t, stalls, want.stalls)
			assert.Equal(t, want.summary, summary != nil, "summaries come first, also those of later requests")
		}
		assert.Equal(t, int64(1), f.count(t, "requestcause_requests_over_budget"))
		assert.Equal(t, int64(1), f.count(t, "requestcause_children_appended"))
		assert.Equal(t, int64(7), f.count(t, "requestcause_children_omitted", attribute.String("reason", "budget")))
		f.stop(t)
	})
}

// TestEveryRequestHasASummary has as many requests as there may be spans in a
// second, all of which meet the same many stalls.
func TestEveryRequestHasASummary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(c *Config) { c.Spans.MaxPerSecond = 50 })
		f.start(t)
		begin := time.Now()
		var stalls []cycle
		for n := range 15 {
			stalls = append(stalls, aStall(begin.Add(time.Duration(50*n)*time.Millisecond)))
		}
		time.Sleep(2 * time.Second)
		require.NoError(t, f.ConsumeTraces(context.Background(), stallTraces(stalls...)))
		var calls []call
		for n := range 50 {
			calls = append(calls, aCall(n, begin))
			require.NoError(t, f.ConsumeTraces(fromAPIServer(), vllmTraces(calls[n])))
		}
		f.stop(t)
		added := appended(f.out.AllTraces()...)
		for n := range calls {
			_, summary := childrenOf(added, &calls[n])
			require.NotNil(t, summary, "request %d", n)
			assert.Equal(t, int64(15), valueOf(*summary, "stall.count"), "of all stalls, shown or not")
		}
	})
}

func TestAmbiguousIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(c *Config) { c.Groups.ProcPath = "" })
		f.start(t)
		begin := time.Now()
		time.Sleep(2 * time.Second)
		stalls := stallTraces(aStall(begin), aStall(begin))
		for n, resource := range stalls.ResourceSpans().All() {
			resource.Resource().Attributes().PutInt("process.pid", int64(500+n))
			resource.Resource().Attributes().PutInt("process.parent_pid", int64(600+n))
		}
		require.NoError(t, f.ConsumeTraces(context.Background(), stalls))
		f.out.Reset()
		requests := vllmTraces(aCall(1, begin))
		requests.ResourceSpans().At(0).Resource().Attributes().Remove("vllm.process_id")
		requests.ResourceSpans().At(0).Resource().Attributes().PutStr("host.name", "node-1")
		before := marshal(t, requests)
		require.NoError(t, f.ConsumeTraces(context.Background(), requests))
		f.drain(t)
		assert.Equal(t, int64(1), f.count(t, "requestcause_requests_ambiguous"))
		assert.Equal(t, before, marshal(t, f.out.AllTraces()[0]))
		f.stop(t)
	})
}

// TestStartupSpans has vLLM's processes introduce themselves, while the machine
// cannot be looked at.
func TestStartupSpans(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		f.start(t)
		begin := time.Now()
		loading := ptrace.NewTraces()
		for _, process := range []struct{ pid, kind string }{{"700", ""}, {"101", "engine_core"}} {
			resource := loading.ResourceSpans().AppendEmpty()
			attributes := resource.Resource().Attributes()
			attributes.PutStr("vllm.process_id", process.pid)
			attributes.PutStr("host.name", "node-1")
			if process.kind != "" {
				attributes.PutStr("vllm.process_kind", process.kind)
			}
			scope := resource.ScopeSpans().AppendEmpty()
			scope.Scope().SetName("vllm.tracing.otel")
			span := scope.Spans().AppendEmpty()
			span.SetName("Overall Loading")
			span.SetTraceID(pcommon.TraceID{1})
			span.Attributes().PutStr("code.function", "load")
		}
		require.NoError(t, f.ConsumeTraces(context.Background(), loading))
		require.Len(t, f.out.AllTraces(), 1, "at once")
		time.Sleep(2 * time.Second)
		require.NoError(t, f.ConsumeTraces(context.Background(), stallTraces(aStall(begin))))
		c := aCall(1, begin)
		requests := vllmTraces(c)
		requests.ResourceSpans().At(0).Resource().Attributes().PutStr("vllm.process_id", "700")
		requests.ResourceSpans().At(0).Resource().Attributes().PutStr("host.name", "node-1")
		require.NoError(t, f.ConsumeTraces(context.Background(), requests))
		f.stop(t)
		_, summary := childrenOf(appended(f.out.AllTraces()...), &c)
		require.NotNil(t, summary)
		assert.Equal(t, "startup", valueOf(*summary, "stall.evidence"))
	})
}

// TestEveryMetricIsDocumented looks for each of the component's metrics on the
// page that says how to read them.
func TestEveryMetricIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/requests.md")
	require.NoError(t, err)
	metadata, err := confmaptest.LoadConf("metadata.yaml")
	require.NoError(t, err)
	metrics, err := metadata.Sub("telemetry::metrics")
	require.NoError(t, err)
	require.NotEmpty(t, metrics.ToStringMap())
	for name := range metrics.ToStringMap() {
		assert.Contains(t, string(page), "`"+name+"`")
	}
}

// TestSuppressedStallsAreDocumented looks for the receiver's counter of the stalls
// that no processor ever sees, which the same page names.
func TestSuppressedStallsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/requests.md")
	require.NoError(t, err)
	receiver, err := os.ReadFile("../../receiver/gpucausereceiver/documentation.md")
	require.NoError(t, err)
	const counter = "otelcol_gpucause_stalls_suppressed"
	assert.Contains(t, string(receiver), "### "+counter)
	assert.GreaterOrEqual(t, strings.Count(string(page), "`"+counter+"`"), 3, "for who reads a summary, who finds none, and who looks what is lost")
}
