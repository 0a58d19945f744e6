package api

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/gpucause/gpucause/testdata/llmserver/internal/engine"
	"github.com/gpucause/gpucause/testdata/llmserver/internal/requestspan"
)

// sequence is one choice of a request on its way through an engine. Its first group
// of fields never changes; the second belongs to the engine's reader until done
// is closed.
type sequence struct {
	id           string // unique; the engine's
	external     string // of the request; all its sequences have the same
	request      completionRequest
	promptTokens int
	logprobs     int
	arrival      time.Time
	parent       context.Context // of the span
	done         chan struct{}

	tokens     int
	firstToken time.Duration // since arrival, wall clock
	first      time.Duration // engine's clock
	err        error
}

// newSequences makes the sequences of a request: for every prompt, n of them.
func newSequences(parent context.Context, id string, r completionRequest) []*sequence {
	var all []*sequence
	arrival := time.Now()
	for i, prompt := range r.Prompt {
		external := fmt.Sprintf("%s-%d", id, i)
		internal := external + "-" + uuid.NewString()[:8] // clients may send an id twice
		for child := range r.N {
			s := &sequence{id: internal, external: external, request: r, promptTokens: tokenCount(prompt), logprobs: r.Logprobs,
				arrival: arrival, parent: parent, done: make(chan struct{})}
			if r.N > 1 {
				s.id = fmt.Sprintf("%d_%s", child, internal)
			}
			all = append(all, s)
		}
	}
	return all
}

// asked is what an engine is told of it.
func (s *sequence) asked() engine.Sequence {
	traceParent, ok := requestspan.TraceParent(s.parent)
	if !ok {
		traceParent = engine.NoTraceParent
	}
	return engine.Sequence{ID: s.id, PromptTokens: s.promptTokens, MaxTokens: s.request.MaxTokens, Logprobs: s.logprobs,
		TraceParent: traceParent}
}

// take counts a token in. With the last one it returns the request's span.
func (s *sequence) take(token engine.Token) (requestspan.Request, bool) {
	sinceArrival := time.Since(s.arrival)
	if s.tokens == 0 {
		s.firstToken, s.first = sinceArrival, token.At
	}
	s.tokens++
	if !token.Last {
		return requestspan.Request{}, false
	}
	return requestspan.Request{
		ID:               s.external,
		Arrival:          s.arrival,
		FirstToken:       s.firstToken,
		EndToEnd:         sinceArrival,
		Queue:            token.Scheduled - token.Queued,
		Prefill:          s.first - token.Scheduled,
		Decode:           token.At - s.first,
		PromptTokens:     s.promptTokens,
		CompletionTokens: s.tokens,
		TopP:             s.request.TopP,
		MaxTokens:        s.request.MaxTokens,
		Temperature:      s.request.Temperature,
	}, true
}
