package main

import (
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/gpucause/gpucause/testdata/llmserver/internal/sink"
	"github.com/gpucause/gpucause/testdata/llmserver/internal/truth"
)

// asProgram makes the test binary the program, which starts itself.
const asProgram = "LLMSERVER_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// outcome is what a run leaves.
type outcome struct {
	resources []*tracepb.ResourceSpans
	requests  map[string][]*tracepb.Span // llm_request by gen_ai.request.id
	parents   []*tracepb.Span            // the client's
	verdicts  []truth.Verdict
	sequences []sequenceTruth
	events    []truth.Event
}

// runDemo runs `llmserver demo` against a receiver.
func runDemo(t *testing.T, args ...string) *outcome {
	t.Setenv(asProgram, "1")
	require.FileExists(t, "out/engine", "make -C testdata/llmserver engine")
	receiver, err := sink.Start()
	require.NoError(t, err)
	folder := t.TempDir()
	program, err := filepath.Abs("out/engine")
	require.NoError(t, err)
	args = append([]string{"--endpoint=" + receiver.Endpoint, "--out=" + folder, "--seconds=600"}, args...)
	if !slices.Contains(args, "--") {
		args = append(args, "--")
	}
	require.NoError(t, run(t.Context(), append(append([]string{"demo"}, args...), "--engine="+program)))
	require.NoError(t, receiver.Stop())
	return readOutcome(t, folder, receiver.Received())
}

func readOutcome(t *testing.T, folder string, resources []*tracepb.ResourceSpans) *outcome {
	engineTruth := filepath.Join(folder, "engine-truth.jsonl")
	o := &outcome{resources: resources, requests: make(map[string][]*tracepb.Span)}
	var err error
	o.verdicts, err = readVerdicts(engineTruth, filepath.Join(folder, "client-truth.jsonl"))
	require.NoError(t, err)
	o.events, err = truth.ReadFile[truth.Event](engineTruth)
	require.NoError(t, err)
	all, err := truth.ReadFile[sequenceTruth](engineTruth)
	require.NoError(t, err)
	o.sequences = slices.DeleteFunc(all, func(s sequenceTruth) bool { return s.Type != "sequence" })
	for _, resource := range resources {
		for _, span := range resource.GetScopeSpans()[0].GetSpans() {
			if span.GetName() == "llm_request" {
				id, _ := sink.Attributes(span.GetAttributes())["gen_ai.request.id"].(string)
				o.requests[id] = append(o.requests[id], span)
			} else {
				o.parents = append(o.parents, span)
			}
		}
	}
	return o
}

func fixture(t *testing.T) *tracepb.ResourceSpans {
	text, err := os.ReadFile("testdata/llm_request_v0.16plus_remote_parent.json")
	require.NoError(t, err)
	var payload coltracepb.ExportTraceServiceRequest
	require.NoError(t, protojson.Unmarshal(text, &payload))
	return payload.GetResourceSpans()[0]
}

// alone is the resource with this span only.
func alone(resource *tracepb.ResourceSpans, span *tracepb.Span) *tracepb.ResourceSpans {
	only, _ := proto.Clone(resource).(*tracepb.ResourceSpans)
	only.ScopeSpans[0].Spans = []*tracepb.Span{span}
	return only
}

// sequenceTruth is a sequence in the engine's report, with its own clock.
type sequenceTruth struct {
	Type        string  `json:"type"`
	ID          string  `json:"id"`
	TraceParent string  `json:"traceparent"`
	Prompt      int64   `json:"prompt_tokens"`
	Completion  int64   `json:"completion_tokens"`
	Queued      float64 `json:"queued_ns"`
	Scheduled   float64 `json:"scheduled_ns"`
	FirstToken  float64 `json:"first_token_ns"`
	LastToken   float64 `json:"last_token_ns"`
}

func TestSpansTellTheTruth(t *testing.T) {
	o := runDemo(t, "--workload=blocker", "--requests=40", "--faults=host_code,lock,io,input,gpu,first_launch", "--fault-every=100ms")
	require.Len(t, o.verdicts, 40)
	for _, v := range o.verdicts {
		assert.Equal(t, 200, v.Status, v.Error)
		spans := o.requests["cmpl-"+v.RequestID+"-0"]
		assert.Len(t, spans, v.N, "one span for every sequence")
		for _, span := range spans {
			assert.Equal(t, v.TraceID, hex.EncodeToString(span.GetTraceId()))
			assert.Equal(t, v.SpanID, hex.EncodeToString(span.GetParentSpanId()))
			assert.GreaterOrEqual(t, int64(span.GetStartTimeUnixNano()), v.StartUnix, "the client begins before the server")
			checkTimes(t, span)
		}
		for _, met := range v.Faults {
			assert.Positive(t, met.Overlap)
		}
	}
	assert.Len(t, o.sequences, 40+7, "the blocker has eight")
	for _, sequence := range o.sequences {
		assert.Contains(t, latencies(o.requests), sequence.latencies(), "a span with the engine's times")
	}
	assert.Len(t, o.parents, 40)
	assertFaults(t, o)
}

// checkTimes checks the durations of a span against each other.
func checkTimes(t *testing.T, span *tracepb.Span) {
	a := sink.Attributes(span.GetAttributes())
	number := func(key string) float64 {
		value, ok := a["gen_ai.latency."+key].(float64)
		require.True(t, ok, key)
		return value
	}
	length := float64(span.GetEndTimeUnixNano()-span.GetStartTimeUnixNano()) / 1e9
	assert.GreaterOrEqual(t, length, number("e2e"))
	assert.GreaterOrEqual(t, number("e2e"), number("time_to_first_token"))
	assert.GreaterOrEqual(t, number("time_to_first_token"), number("time_in_queue")+number("time_in_model_prefill"))
	assert.GreaterOrEqual(t, number("e2e"), number("time_in_queue")+number("time_in_model_inference"))
	assert.InDelta(t, number("time_in_model_inference"), number("time_in_model_prefill")+number("time_in_model_decode"), 1e-9)
	assert.GreaterOrEqual(t, number("time_in_model_prefill"), 0.005, "a step's time on the GPU at least")
	assert.Equal(t, int64(1), a["gen_ai.request.n"])
}

// latencies are the engine's times in the spans, with the request's id.
func latencies(requests map[string][]*tracepb.Span) []string {
	var all []string
	for id, spans := range requests {
		for _, span := range spans {
			a := sink.Attributes(span.GetAttributes())
			all = append(all, fmt.Sprintf("%s %d %d %.6f %.6f %.6f", id, a["gen_ai.usage.prompt_tokens"], a["gen_ai.usage.completion_tokens"],
				a["gen_ai.latency.time_in_queue"], a["gen_ai.latency.time_in_model_prefill"], a["gen_ai.latency.time_in_model_decode"]))
		}
	}
	return all
}

var internalID = regexp.MustCompile(`^(?:\d+_)?(cmpl-.*)-[0-9a-f]{8}$`)

func (s sequenceTruth) latencies() string {
	return fmt.Sprintf("%s %d %d %.6f %.6f %.6f", internalID.ReplaceAllString(s.ID, "$1"), s.Prompt, s.Completion,
		(s.Scheduled-s.Queued)/1e9, (s.FirstToken-s.Scheduled)/1e9, (s.LastToken-s.FirstToken)/1e9)
}

// assertFaults checks that requests met the faults, each of them known to the engine.
func assertFaults(t *testing.T, o *outcome) {
	met := make(map[string]bool)
	for _, v := range o.verdicts {
		for _, fault := range v.Faults {
			met[fault.Fault] = true
			assert.NotEmpty(t, fault.Running)
		}
	}
	assert.GreaterOrEqual(t, len(met), 3, "of faults every 100 ms: %v", met)
}

func TestSpansHaveTheShapeOfVLLMs(t *testing.T) {
	t.Setenv("OTEL_SERVICE_NAME", "vllm-server")
	// With a temperature, as the fixture has one.
	o := runDemo(t, "--workload=prefill", "--requests=9", "--faults=")
	want := fixture(t)
	checked := 0
	for _, resource := range o.resources {
		if name := sink.Attributes(resource.GetResource().GetAttributes())["service.name"]; name != "vllm-server" {
			continue
		}
		for _, span := range resource.GetScopeSpans()[0].GetSpans() {
			if _, ok := sink.Attributes(span.GetAttributes())["gen_ai.request.temperature"]; ok {
				checked++
				assert.Equal(t, sink.Shape(want), sink.Shape(alone(resource, span)))
			}
		}
	}
	assert.Equal(t, 1, checked, "the long prompt")
}

func TestSeveralEnginesBesideTheAPIServer(t *testing.T) {
	o := runDemo(t, "--workload=steady", "--requests=24", "--faults=", "--", "--siblings", "--data-parallel=2", "--spans-of=0.10.2")
	assert.Len(t, o.requests, 24)
	engines := make(map[int]bool)
	for _, event := range o.events {
		if event.Type == "sequence" {
			engines[event.Engine] = true
		}
	}
	assert.Equal(t, map[int]bool{0: true, 1: true}, engines)
	for _, resource := range o.resources {
		if scope := resource.GetScopeSpans()[0].GetScope().GetName(); scope != "llmserver.client" {
			assert.Equal(t, "vllm.llm_engine", scope)
			assert.NotContains(t, sink.Attributes(resource.GetResource().GetAttributes()), "vllm.process_id")
		}
	}
}
