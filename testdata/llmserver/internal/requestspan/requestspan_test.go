package requestspan_test

import (
	"encoding/hex"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/gpucause/gpucause/testdata/llmserver/internal/requestspan"
	"github.com/gpucause/gpucause/testdata/llmserver/internal/sink"
)

const remoteParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

var request = requestspan.Request{
	ID: "cmpl-9f1c-0", Arrival: time.Unix(1795420278, 67292416), FirstToken: 412 * time.Millisecond, EndToEnd: 2413100 * time.Microsecond,
	Queue: 2100 * time.Microsecond, Prefill: 398 * time.Millisecond, Decode: 2 * time.Second,
	PromptTokens: 512, CompletionTokens: 128, TopP: 1, MaxTokens: 128, Temperature: 0.7,
}

// setting is what a fixture was made with.
type setting struct {
	fixture     string
	version     string
	header      http.Header
	environment map[string]string
}

func TestSpansHaveTheShapeOfVLLMs(t *testing.T) {
	parent := http.Header{"Traceparent": {remoteParent}}
	for _, s := range []setting{
		{"llm_request_v0.16plus_remote_parent", "0.16", parent, map[string]string{"OTEL_SERVICE_NAME": "vllm-server"}},
		{"llm_request_v0.16plus_root", "0.16", nil, map[string]string{"OTEL_SERVICE_NAME": "vllm-server"}},
		{"llm_request_no_service_name", "0.16", nil, nil},
		{"llm_request_v0.10.2-v0.15_V1_derived", "0.10.2", parent, map[string]string{"OTEL_SERVICE_NAME": "vllm-server"}},
		{"llm_request_with_detectors", "0.16", parent, map[string]string{
			"OTEL_SERVICE_NAME":                    "vllm-server",
			"OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": "process,host,os",
			"OTEL_RESOURCE_ATTRIBUTES":             "k8s.pod.name=vllm-0,k8s.pod.uid=11111111-2222-3333-4444-555555555555",
		}},
	} {
		t.Run(s.fixture, func(t *testing.T) {
			for key, value := range s.environment {
				t.Setenv(key, value)
			}
			got := record(t, s.version, s.header, request)
			require.Len(t, got, 1)
			assert.Equal(t, sink.Shape(fixture(t, s.fixture)), sink.Shape(got[0]))
		})
	}
}

func TestValues(t *testing.T) {
	got := record(t, "0.16", http.Header{"Traceparent": {remoteParent}}, request)[0]
	span := got.GetScopeSpans()[0].GetSpans()[0]
	assert.Equal(t, "4bf92f3577b34da6a3ce929d0e0e4736", hex.EncodeToString(span.GetTraceId()))
	assert.Equal(t, "00f067aa0ba902b7", hex.EncodeToString(span.GetParentSpanId()))
	assert.Equal(t, uint64(request.Arrival.UnixNano()), span.GetStartTimeUnixNano())

	attributes := sink.Attributes(span.GetAttributes())
	assert.InDelta(t, 2.398, attributes["gen_ai.latency.time_in_model_inference"], 1e-9)
	assert.Equal(t, int64(128), attributes["gen_ai.usage.completion_tokens"])
	assert.Equal(t, "cmpl-9f1c-0", attributes["gen_ai.request.id"])

	resource := sink.Attributes(got.GetResource().GetAttributes())
	assert.Equal(t, "unknown_service", resource["service.name"])
	assert.Equal(t, "vllm.llm_engine", resource["vllm.instrumenting_module_name"])
}

func TestATemperatureOfZeroIsNotSent(t *testing.T) {
	greedy := request
	greedy.Temperature = 0
	span := record(t, "0.16", nil, greedy)[0].GetScopeSpans()[0].GetSpans()[0]
	attributes := sink.Attributes(span.GetAttributes())
	assert.NotContains(t, attributes, "gen_ai.request.temperature")
	assert.Contains(t, attributes, "gen_ai.request.top_p")
}

func TestAParentThatIsNotSampledHasNoSpan(t *testing.T) {
	unsampled := strings.TrimSuffix(remoteParent, "01") + "00"
	assert.Empty(t, record(t, "0.16", http.Header{"Traceparent": {unsampled}}, request))
}

func TestTheParentMayComeFromTheEnvironment(t *testing.T) {
	t.Setenv("TRACEPARENT", remoteParent)
	span := record(t, "0.16", nil, request)[0].GetScopeSpans()[0].GetSpans()[0]
	assert.Equal(t, "00f067aa0ba902b7", hex.EncodeToString(span.GetParentSpanId()))
}

func TestTraceParent(t *testing.T) {
	value, ok := requestspan.TraceParent(requestspan.ParentOf(http.Header{"Traceparent": {remoteParent}}))
	assert.True(t, ok)
	assert.Equal(t, remoteParent, value)
	for _, malformed := range []string{"", "00-0-0-01", "x y"} {
		_, ok := requestspan.TraceParent(requestspan.ParentOf(http.Header{"Traceparent": {malformed}}))
		assert.False(t, ok, malformed)
	}
}

func TestAnUnknownDetectorIsAnError(t *testing.T) {
	t.Setenv("OTEL_EXPERIMENTAL_RESOURCE_DETECTORS", "process,gpu")
	_, err := requestspan.NewTracer(t.Context(), requestspan.Versions()["0.16"], "")
	assert.ErrorContains(t, err, `there is no detector "gpu"`)
}

// record sends a request's span and returns what arrives.
func record(t *testing.T, version string, header http.Header, r requestspan.Request) []*tracepb.ResourceSpans {
	receiver, err := sink.Start()
	require.NoError(t, err)
	defer func() { require.NoError(t, receiver.Stop()) }()
	tracer, err := requestspan.NewTracer(t.Context(), requestspan.Versions()[version], "http://"+receiver.Endpoint)
	require.NoError(t, err)
	tracer.Record(requestspan.ParentOf(header), r)
	require.NoError(t, tracer.Shutdown(t.Context()))
	return receiver.Received()
}

func fixture(t *testing.T, name string) *tracepb.ResourceSpans {
	text, err := os.ReadFile("../../testdata/" + name + ".json")
	require.NoError(t, err)
	var payload coltracepb.ExportTraceServiceRequest
	require.NoError(t, protojson.Unmarshal(text, &payload))
	return payload.GetResourceSpans()[0]
}
