package load

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/gpucause/gpucause/testdata/llmserver/internal/truth"
)

func TestPlans(t *testing.T) {
	for _, workload := range Workloads() {
		requests, err := plan(workload, 400, 1)
		require.NoError(t, err)
		require.Len(t, requests, 400)
		again, err := plan(workload, 400, 1)
		require.NoError(t, err)
		assert.Equal(t, requests, again, "the same seed gives the same requests")
		for _, r := range requests {
			assert.Len(t, strings.Fields(r.Prompt), r.promptTokens)
			assert.True(t, r.N == 1 || r.Temp > 0, "a server would refuse it")
		}
	}
}

func TestTheArticlesWorkloads(t *testing.T) {
	requests, err := plan("prefill", 9, 1)
	require.NoError(t, err)
	assert.Equal(t, map[string]int{"short": 8, "long_prefill": 1}, kinds(requests))
	assert.GreaterOrEqual(t, requests[8].promptTokens, 3000)

	requests, err = plan("blocker", 40, 1)
	require.NoError(t, err)
	assert.Equal(t, map[string]int{"short": 39, "blocker": 1}, kinds(requests))
	assert.Equal(t, 8, requests[12].N)
	assert.Equal(t, 20, requests[12].Logprobs)

	requests, err = plan("mixed", 500, 1)
	require.NoError(t, err)
	assert.Len(t, kinds(requests), 4, "of every kind some")
}

func kinds(requests []request) map[string]int {
	count := make(map[string]int)
	for _, r := range requests {
		count[r.kind]++
	}
	return count
}

func TestAnUnknownWorkloadIsAnError(t *testing.T) {
	_, err := Run(t.Context(), Settings{Workload: "article", Report: io.Discard})
	assert.ErrorContains(t, err, "use one of blocker, mixed, prefill, steady")
}

func TestEveryRequestIsReported(t *testing.T) {
	var served atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		parent := strings.Split(r.Header.Get("traceparent"), "-")
		if served.Add(1) == 3 || len(parent) != 4 || r.Header.Get("X-Request-Id") == "" {
			http.Error(w, "no", http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	var report bytes.Buffer
	summary, err := Run(t.Context(), Settings{URL: server.URL, Workload: "steady", Requests: 7, Concurrency: 3, Parents: true,
		Tracer: sdktrace.NewTracerProvider().Tracer(""), Report: &report})
	require.NoError(t, err)
	assert.Equal(t, 6, summary.Answered)
	assert.Equal(t, 1, summary.Failed)
	assert.Contains(t, summary.String(), "503 Service Unavailable: no")

	traces := make(map[string]bool)
	for line := range strings.Lines(report.String()) {
		var r truth.Request
		require.NoError(t, json.Unmarshal([]byte(line), &r))
		traces[r.TraceID] = true
		assert.LessOrEqual(t, r.StartUnix, r.EndUnix)
	}
	assert.Len(t, traces, 7)
}

func TestNobodyAnswers(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	summary, err := Run(t.Context(), Settings{URL: server.URL, Workload: "steady", Requests: 2, Concurrency: 1,
		Tracer: sdktrace.NewTracerProvider().Tracer(""), Report: io.Discard})
	require.NoError(t, err)
	assert.Equal(t, 2, summary.Failed)
}
