package load

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/gpucause/gpucause/testdata/llmserver/internal/truth"
)

// Settings are what a client sends, and where.
type Settings struct {
	URL         string // of the server
	Workload    string
	Requests    int           // how many; of 0 as many as fit into Length
	Length      time.Duration // after it no request begins; 0: no end
	Concurrency int           // each begins a request when its last one has ended
	Pause       time.Duration // between the two
	Seed        uint64
	Parents     bool // whether the server learns of the client's span
	Tracer      trace.Tracer
	Report      io.Writer // gets a line for every request
}

// planned is how many requests are planned where their number is open; then they
// are repeated.
const planned = 1000

type client struct {
	settings Settings
	requests []request
	http     *http.Client

	mu      sync.Mutex // of what follows
	next    int
	encoder *json.Encoder
	summary Summary
	failed  error // to write the report
}

// Run sends the requests until there are no more or the context is cancelled.
func Run(ctx context.Context, settings Settings) (Summary, error) {
	count := settings.Requests
	if count == 0 {
		count = planned
	}
	requests, err := plan(settings.Workload, count, settings.Seed)
	if err != nil {
		return Summary{}, err
	}
	transport := &http.Transport{MaxIdleConnsPerHost: settings.Concurrency}
	defer transport.CloseIdleConnections()
	c := &client{settings: settings, requests: requests, http: &http.Client{Transport: transport}, encoder: json.NewEncoder(settings.Report)}
	if settings.Length > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, settings.Length)
		defer stop()
	}
	var workers sync.WaitGroup
	for range settings.Concurrency {
		workers.Go(func() { c.work(ctx) })
	}
	workers.Wait()
	return c.summary, c.failed
}

// work sends one request after the other. Those that have begun are not broken off
// when the context ends.
func (c *client) work(ctx context.Context) {
	for ctx.Err() == nil {
		r, more := c.take()
		if !more {
			return
		}
		c.done(c.send(context.WithoutCancel(ctx), r))
		pause(ctx, c.settings.Pause)
	}
}

func pause(ctx context.Context, length time.Duration) {
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (c *client) take() (request, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.settings.Requests > 0 && c.next == c.settings.Requests {
		return request{}, false
	}
	r := c.requests[c.next%len(c.requests)]
	c.next++
	return r, true
}

func (c *client) done(record truth.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.summary.add(record)
	if err := c.encoder.Encode(record); err != nil && c.failed == nil {
		c.failed = fmt.Errorf("writing the report: %w", err)
	}
}

// send sends a request below a span of its own and waits for the answer.
func (c *client) send(ctx context.Context, r request) truth.Request {
	ctx, span := c.settings.Tracer.Start(ctx, "POST /v1/completions", trace.WithSpanKind(trace.SpanKindClient))
	defer span.End()
	record := truth.Request{Type: "request", Kind: r.kind, TraceID: span.SpanContext().TraceID().String(),
		SpanID: span.SpanContext().SpanID().String(), RequestID: uuid.NewString(),
		PromptTokens: r.promptTokens, MaxTokens: r.MaxTokens, N: r.N, Logprobs: r.Logprobs}
	header := http.Header{"Content-Type": {"application/json"}, "X-Request-Id": {record.RequestID}}
	if c.settings.Parents {
		propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(header))
	}
	record.StartUnix = time.Now().UnixNano()
	status, err := c.post(ctx, r, header)
	record.EndUnix = time.Now().UnixNano()
	record.Status = status
	if err != nil {
		record.Error = err.Error()
	}
	return record
}

// post returns the status, 0 where there was no answer; an answer other than 200 is
// also an error.
func (c *client) post(ctx context.Context, r request, header http.Header) (int, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return 0, fmt.Errorf("encoding the request: %w", err)
	}
	post, err := http.NewRequestWithContext(ctx, http.MethodPost, c.settings.URL+"/v1/completions", bytes.NewReader(body))
	if err != nil {
		return 0, fmt.Errorf("making the request: %w", err)
	}
	post.Header = header
	response, err := c.http.Do(post)
	if err != nil {
		return 0, fmt.Errorf("sending the request: %w", err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, fmt.Errorf("reading the answer: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return response.StatusCode, fmt.Errorf("the server answers %s: %s", response.Status, bytes.TrimSpace(text))
	}
	return response.StatusCode, nil
}
