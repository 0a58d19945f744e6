package requestcauseprocessor

import (
	"cmp"
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/metadata"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/process"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/spans"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/stall"
)

const hostID = "4c4c4544"

// vllmServer is a machine with an API server, process 100, whose child 101 is
// the engine.
type vllmServer struct {
	own int64 // what the API server takes its number to be; 0: 100
}

func (s vllmServer) Relatives([]int64) (process.Relatives, bool) {
	return process.Relatives{
		100: {PID: 100, ParentPID: 1, OwnPID: cmp.Or(s.own, 100), Start: 1, Executable: "python"},
		101: {PID: 101, ParentPID: 100, OwnPID: 101, Start: 2, Executable: "python", Title: "VLLM::EngineCore"},
	}, true
}

func (vllmServer) Owner(local netip.AddrPort, _ process.Relatives) (int64, bool) {
	if local == netip.MustParseAddrPort("127.0.0.1:40001") {
		return 100, false
	}
	return 0, local.Addr().IsLoopback()
}

// fromAPIServer is the context of what the API server sends.
func fromAPIServer() context.Context { return fromPeer("127.0.0.1:40001") }

func fromPeer(address string) context.Context {
	addr := net.TCPAddrFromAddrPort(netip.MustParseAddrPort(address))
	return client.NewContext(context.Background(), client.Info{Addr: addr})
}

// fixture is a processor between a test and what comes out of it.
type fixture struct {
	processor.Traces
	out       *consumertest.TracesSink
	telemetry *componenttest.Telemetry
}

// newFixture creates a processor on the machine of vllmServer.
func newFixture(t testing.TB, change func(*Config)) *fixture {
	sink := new(consumertest.TracesSink)
	f := fixtureTo(t, change, sink)
	f.out = sink
	return f
}

func fixtureTo(t testing.TB, change func(*Config), next consumer.Traces) *fixture {
	t.Helper()
	return fixtureOn(t, machine{hostID: hostID, hostName: "node-1", procs: vllmServer{}}, change, next)
}

func fixtureOn(t testing.TB, m machine, change func(*Config), next consumer.Traces) *fixture {
	t.Helper()
	factory := newFactory(func(*Config) machine { return m })
	config := factory.CreateDefaultConfig().(*Config)
	if change != nil {
		change(config)
	}
	require.NoError(t, config.Validate())
	f := &fixture{telemetry: componenttest.NewTelemetry()}
	settings := processortest.NewNopSettings(metadata.Type)
	settings.TelemetrySettings = f.telemetry.NewTelemetrySettings()
	settings.BuildInfo = component.BuildInfo{Version: "0.0.0-test"}
	created, err := factory.CreateTraces(context.Background(), settings, config, next)
	require.NoError(t, err)
	f.Traces = created
	return f
}

func (f *fixture) start(t testing.TB) {
	t.Helper()
	require.NoError(t, f.Start(context.Background(), componenttest.NewNopHost()))
}

// drain lets out what is held. The component's counters can still be read.
func (f *fixture) drain(t testing.TB) {
	t.Helper()
	require.NoError(t, f.Shutdown(context.Background()))
}

func (f *fixture) stop(t testing.TB) {
	t.Helper()
	f.drain(t)
	require.NoError(t, f.telemetry.Shutdown(context.Background()))
}

// cycle is a dispatch cycle of a thread.
type cycle struct {
	pid, tid   int64
	start, end time.Time
	kind       string // default: stall
	cause      string
	typical    time.Duration
	summary    string
}

// stallTraces are what the receiver writes of cycles: a root and a call below it.
func stallTraces(cycles ...cycle) ptrace.Traces {
	traces := ptrace.NewTraces()
	for _, c := range cycles {
		resource := traces.ResourceSpans().AppendEmpty()
		attributes := resource.Resource().Attributes()
		attributes.PutStr("host.name", "node-1")
		attributes.PutStr("host.id", hostID)
		attributes.PutInt("process.pid", c.pid)
		attributes.PutInt("process.parent_pid", 100)
		attributes.PutStr("service.name", "vllm-server")
		scope := resource.ScopeSpans().AppendEmpty()
		scope.Scope().SetName(stall.ScopeName)
		c.write(scope.Spans())
	}
	return traces
}

func (c *cycle) write(to ptrace.SpanSlice) {
	root := to.AppendEmpty()
	root.SetName("dispatch cycle")
	root.SetTraceID(c.traceID())
	root.SetSpanID(c.rootID())
	root.SetKind(ptrace.SpanKindInternal)
	root.SetStartTimestamp(pcommon.NewTimestampFromTime(c.start))
	root.SetEndTimestamp(pcommon.NewTimestampFromTime(c.end))
	attributes := root.Attributes()
	attributes.PutInt("thread.id", c.tid)
	attributes.PutStr("thread.name", "VLLM::EngineCor")
	attributes.PutStr("stall.kind", cmp.Or(c.kind, "stall"))
	attributes.PutStr("stall.summary", cmp.Or(c.summary, "dispatch cycle of VLLM::EngineCor: "+c.cause))
	if c.cause != "" {
		attributes.PutStr("stall.cause", c.cause)
		attributes.PutDouble("stall.explained", 0.9)
	}
	if c.typical > 0 {
		attributes.PutDouble("dispatch.typical_duration", c.typical.Seconds())
	}
	call := to.AppendEmpty()
	call.SetName("cudaStreamSynchronize")
	call.SetTraceID(c.traceID())
	call.SetParentSpanID(c.rootID())
	call.SetSpanID(pcommon.SpanID{9, 9})
	call.SetStartTimestamp(root.StartTimestamp())
	call.SetEndTimestamp(root.EndTimestamp())
}

func (c *cycle) traceID() pcommon.TraceID {
	var id pcommon.TraceID
	binary.BigEndian.PutUint64(id[:], uint64(c.start.UnixNano()))
	binary.BigEndian.PutUint64(id[8:], uint64(c.pid)<<32|uint64(c.tid))
	return id
}

func (c *cycle) rootID() pcommon.SpanID {
	var id pcommon.SpanID
	binary.BigEndian.PutUint64(id[:], uint64(c.start.UnixNano())+uint64(c.tid))
	return id
}

// call is a request to vLLM.
type call struct {
	n                      int // its number, from which its ids follow
	start                  time.Time
	queue, prefill, decode time.Duration
	lag                    time.Duration // from the last token to the end of the span
	prompt, completion     int64
	id                     string
	parent                 pcommon.SpanID
	trace                  pcommon.TraceID
}

func (c *call) end() time.Time { return c.start.Add(c.queue + c.prefill + c.decode + c.lag) }

func (c *call) spanID() pcommon.SpanID {
	var id pcommon.SpanID
	binary.BigEndian.PutUint64(id[:], 1<<40+uint64(c.n))
	return id
}

func (c *call) traceID() pcommon.TraceID {
	if c.trace.IsEmpty() {
		binary.BigEndian.PutUint64(c.trace[:], 1<<50+uint64(c.n))
	}
	return c.trace
}

// vllmTraces are what vLLM 0.16 and later sends of calls.
func vllmTraces(calls ...call) ptrace.Traces {
	traces := ptrace.NewTraces()
	resource := traces.ResourceSpans().AppendEmpty()
	resource.Resource().Attributes().PutStr("service.name", "vllm-server")
	resource.Resource().Attributes().PutStr("vllm.process_id", "100")
	scope := resource.ScopeSpans().AppendEmpty()
	scope.Scope().SetName("vllm.tracing.otel")
	for i := range calls {
		calls[i].write(scope.Spans().AppendEmpty())
	}
	return traces
}

func (c *call) write(span ptrace.Span) {
	span.SetName("llm_request")
	span.SetKind(ptrace.SpanKindServer)
	span.SetTraceID(c.traceID())
	span.SetSpanID(c.spanID())
	span.SetParentSpanID(c.parent)
	span.SetStartTimestamp(pcommon.NewTimestampFromTime(c.start))
	span.SetEndTimestamp(pcommon.NewTimestampFromTime(c.end()))
	attributes := span.Attributes()
	attributes.PutDouble("gen_ai.latency.time_to_first_token", (c.queue + c.prefill).Seconds())
	attributes.PutDouble("gen_ai.latency.e2e", (c.queue + c.prefill + c.decode).Seconds())
	attributes.PutDouble("gen_ai.latency.time_in_queue", c.queue.Seconds())
	attributes.PutInt("gen_ai.usage.prompt_tokens", c.prompt)
	attributes.PutInt("gen_ai.usage.completion_tokens", c.completion)
	attributes.PutDouble("gen_ai.latency.time_in_model_prefill", c.prefill.Seconds())
	attributes.PutDouble("gen_ai.latency.time_in_model_decode", c.decode.Seconds())
	attributes.PutInt("gen_ai.request.n", 1)
	if c.id != "" {
		attributes.PutStr("gen_ai.request.id", c.id)
	}
}

// appended returns the spans that the processor added to traces.
func appended(traces ...ptrace.Traces) []ptrace.Span {
	return spansWhere(func(scope string) bool { return scope == spans.ScopeName }, traces...)
}

func spansWhere(keep func(scope string) bool, traces ...ptrace.Traces) []ptrace.Span {
	var found []ptrace.Span
	for _, one := range traces {
		for _, resource := range one.ResourceSpans().All() {
			for _, scope := range resource.ScopeSpans().All() {
				if !keep(scope.Scope().Name()) {
					continue
				}
				for _, span := range scope.Spans().All() {
					found = append(found, span)
				}
			}
		}
	}
	return found
}

// childrenOf returns the appended spans below a request: its stalls, and the
// summary, which is nil where there is none.
func childrenOf(added []ptrace.Span, c *call) (stalls []ptrace.Span, summary *ptrace.Span) {
	for _, span := range added {
		switch {
		case span.ParentSpanID() != c.spanID() || span.TraceID() != c.traceID():
		case span.Name() == "stalls":
			summary = &span
		default:
			stalls = append(stalls, span)
		}
	}
	return stalls, summary
}

func valueOf(span ptrace.Span, key string) any {
	value, ok := span.Attributes().Get(key)
	if !ok {
		return nil
	}
	return value.AsRaw()
}

// fixtures are the payloads that vLLM's own tracing code wrote, by name.
func fixtures(t testing.TB) map[string]ptrace.Traces {
	t.Helper()
	files, err := filepath.Glob("testdata/vllm/*.json")
	require.NoError(t, err)
	require.Len(t, files, 5)
	all := make(map[string]ptrace.Traces)
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		traces, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(raw)
		require.NoError(t, err)
		all[filepath.Base(file)] = traces
	}
	return all
}

// moveTo gives the spans of a payload, of which there is one, another start.
func moveTo(traces ptrace.Traces, start time.Time) ptrace.Span {
	span := traces.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
	took := span.EndTimestamp() - span.StartTimestamp()
	span.SetStartTimestamp(pcommon.NewTimestampFromTime(start))
	span.SetEndTimestamp(span.StartTimestamp() + took)
	return span
}

func marshal(t testing.TB, traces ptrace.Traces) []byte {
	t.Helper()
	raw, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(traces)
	require.NoError(t, err)
	return raw
}
