package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/gpucause/gpucause/testdata/llmserver/internal/engine"
	"github.com/gpucause/gpucause/testdata/llmserver/internal/requestspan"
	"github.com/gpucause/gpucause/testdata/llmserver/internal/sink"
)

// serving is a server in front of a real engine (`make engine`).
type serving struct {
	url       string
	processes []*engine.Process
	links     []*engine.Link
	server    *Server
	served    chan error
	spans     func() []*tracepb.Span // ends the sending; once
}

func start(t *testing.T, settings Settings) *serving {
	const program = "../../out/engine"
	require.FileExists(t, program, "make -C testdata/llmserver engine")
	s := &serving{served: make(chan error, 1)}
	processes, sockets, err := engine.Start(engine.Settings{Program: program, Count: 2})
	require.NoError(t, err)
	s.processes = processes
	for _, socket := range sockets {
		link, err := engine.NewLink(socket)
		require.NoError(t, err)
		require.NoError(t, link.Ready())
		s.links = append(s.links, link)
	}
	receiver, err := sink.Start()
	require.NoError(t, err)
	tracer, err := requestspan.NewTracer(t.Context(), requestspan.Versions()["0.16"], receiver.Endpoint)
	require.NoError(t, err)
	s.spans = func() []*tracepb.Span {
		require.NoError(t, tracer.Shutdown(t.Context()))
		return allSpans(receiver.Received())
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s.url = "http://" + listener.Addr().String()
	ctx, stop := context.WithCancel(context.Background())
	s.server = New(settings, s.links, tracer)
	go func() { s.served <- s.server.Serve(ctx, listener) }()
	t.Cleanup(func() {
		stop()
		_ = engine.WaitAll(processes)
		require.NoError(t, receiver.Stop())
	})
	return s
}

func allSpans(received []*tracepb.ResourceSpans) []*tracepb.Span {
	var all []*tracepb.Span
	for _, resource := range received {
		for _, scope := range resource.GetScopeSpans() {
			all = append(all, scope.GetSpans()...)
		}
	}
	return all
}

var generous = Settings{Model: "m", MaxModelLength: 1 << 30, MaxRequests: 100, Faults: []string{"host_code"}}

// post returns the status and the body.
func post(ctx context.Context, url, body, id string) (int, string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	request.Header.Set("X-Request-Id", id)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, string(text), err
}

func TestACompletion(t *testing.T) {
	s := start(t, generous)
	status, text, err := post(t.Context(), s.url+"/v1/completions", `{"prompt": ["a b c", "d"], "n": 2, "max_tokens": 3, "logprobs": 2}`, "x")
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status, text)
	var c completion
	require.NoError(t, json.Unmarshal([]byte(text), &c))
	assert.Equal(t, "cmpl-x", c.ID)
	assert.Equal(t, "text_completion", c.Object)
	assert.Equal(t, "m", c.Model)
	assert.Equal(t, usage{PromptTokens: 4, CompletionTokens: 12, TotalTokens: 16}, c.Usage)
	require.Len(t, c.Choices, 4)
	for i, choice := range c.Choices {
		assert.Equal(t, i, choice.Index)
		assert.Len(t, strings.Fields(choice.Text), 3)
		assert.Len(t, choice.Logprobs.TopLogprobs[2], 2)
	}
	emitted := s.spans()
	require.Len(t, emitted, 4, "one for every sequence")
	for _, span := range emitted {
		assert.Contains(t, []string{"cmpl-x-0", "cmpl-x-1"}, sink.Attributes(span.GetAttributes())["gen_ai.request.id"])
	}
}

func TestRefusals(t *testing.T) {
	s := start(t, generous)
	for _, c := range []struct {
		path, body, id string
		status         int
		text           string
	}{
		{"/v1/completions", `{"prompt": "a", "n": 0}`, "x", 400, "n: from 1"},
		{"/v1/completions", `{"prompt": "a"}`, "two words", 400, "X-Request-Id: 1 to 128"},
		{"/v1/completions", `{"prompt": "` + strings.Repeat("a", maxBodyBytes) + `"}`, "x", 400, "too large"},
		{"/fault", `{"fault": "lock"}`, "", 400, "was not prepared: start the server"},
		{"/fault", `{"fault": "host_code", "milliseconds": -1}`, "", 400, "above 0"},
		{"/fault", `x`, "", 400, "reading the body"},
		{"/fault", `{"fault": "host_code", "milliseconds": 1}`, "", 202, ""},
		{"/nowhere", ``, "", 404, "not found"},
	} {
		status, text, err := post(t.Context(), s.url+c.path, c.body, c.id)
		require.NoError(t, err)
		assert.Equal(t, c.status, status, c.path)
		assert.Contains(t, text, c.text)
	}
}

// endless is a request that does not end by itself.
const endless = `{"prompt": "a", "max_tokens": 1000000000}`

// begin sends an endless request and returns when it is running; the answer follows.
func (s *serving) begin(ctx context.Context, t *testing.T) chan string {
	answer := make(chan string, 1)
	before := s.running()
	go func() {
		status, text, err := post(ctx, s.url+"/v1/completions", endless, "x")
		answer <- fmt.Sprint(status, text, err)
	}()
	s.awaitRunning(t, before+1)
	return answer
}

func (s *serving) running() int {
	sum := 0
	for _, r := range s.server.engines.ranks {
		sum += r.load()
	}
	return sum
}

func (s *serving) awaitRunning(t *testing.T, count int) {
	require.Eventually(t, func() bool { return s.running() == count }, 20*time.Second, 2*time.Millisecond)
}

func TestTheSameIDTwiceAtTheSameTime(t *testing.T) {
	s := start(t, generous)
	ctx, leave := context.WithCancel(t.Context())
	first := s.begin(ctx, t)
	second := s.begin(ctx, t)
	leave()
	assert.Contains(t, <-first, "canceled")
	assert.Contains(t, <-second, "canceled")
}

func TestAClientThatGoesLeavesNothingBehind(t *testing.T) {
	s := start(t, generous)
	ctx, leave := context.WithCancel(t.Context())
	answer := s.begin(ctx, t)
	leave()
	assert.Contains(t, <-answer, "canceled")
	s.awaitRunning(t, 0)
	assert.Empty(t, s.spans(), "vLLM has no span of it")
}

func TestRequestsThatAreTooMany(t *testing.T) {
	few := generous
	few.MaxRequests = 1
	s := start(t, few)
	ctx, leave := context.WithCancel(t.Context())
	answer := s.begin(ctx, t)
	status, text, err := post(t.Context(), s.url+"/v1/completions", `{"prompt": "a"}`, "y")
	require.NoError(t, err)
	assert.Equal(t, http.StatusServiceUnavailable, status)
	assert.Contains(t, text, "1 requests are running already")
	leave()
	<-answer
}

func TestTheLeastLoadedEngineGetsASequence(t *testing.T) {
	s := start(t, generous)
	ctx, leave := context.WithCancel(t.Context())
	var answers []chan string
	for range 4 {
		answers = append(answers, s.begin(ctx, t))
	}
	for _, r := range s.server.engines.ranks {
		assert.Equal(t, 2, r.load())
	}
	leave()
	for _, answer := range answers {
		<-answer
	}
}

func TestAnEngineThatDiesEndsTheServer(t *testing.T) {
	s := start(t, generous)
	answer := s.begin(t.Context(), t)
	for _, process := range s.processes {
		require.NoError(t, syscall.Kill(process.PID, syscall.SIGKILL))
	}
	assert.Contains(t, <-answer, engine.ErrEnded.Error())
	assert.ErrorIs(t, <-s.served, engine.ErrEnded)
	assert.Empty(t, s.spans())
}
