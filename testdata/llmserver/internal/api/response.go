package api

import (
	"fmt"
	"hash/fnv"
	"strings"
)

// completion is the body of an answer.
type completion struct {
	ID      string   `json:"id"`
	Object  string   `json:"object"`
	Created int64    `json:"created"`
	Model   string   `json:"model"`
	Choices []choice `json:"choices"`
	Usage   usage    `json:"usage"`
}

type choice struct {
	Index        int       `json:"index"`
	Text         string    `json:"text"`
	Logprobs     *logprobs `json:"logprobs"`
	FinishReason string    `json:"finish_reason"`
}

type logprobs struct {
	Tokens        []string             `json:"tokens"`
	TokenLogprobs []float64            `json:"token_logprobs"`
	TopLogprobs   []map[string]float64 `json:"top_logprobs"`
}

type usage struct {
	PromptTokens     int `json:"prompt_tokens"`
	CompletionTokens int `json:"completion_tokens"`
	TotalTokens      int `json:"total_tokens"`
}

type apiError struct {
	Message string `json:"message"`
	Type    string `json:"type"`
	Code    int    `json:"code"`
}

// newCompletion is the answer once all sequences are complete.
func newCompletion(id string, r completionRequest, sequences []*sequence) completion {
	answer := completion{ID: id, Object: "text_completion", Created: sequences[0].arrival.Unix(), Model: r.Model}
	for i, s := range sequences {
		answer.Choices = append(answer.Choices, newChoice(i, s))
		answer.Usage.CompletionTokens += s.tokens
	}
	for _, prompt := range r.Prompt {
		answer.Usage.PromptTokens += tokenCount(prompt)
	}
	answer.Usage.TotalTokens = answer.Usage.PromptTokens + answer.Usage.CompletionTokens
	return answer
}

func newChoice(index int, s *sequence) choice {
	c := choice{Index: index, FinishReason: "length"}
	tokens := make([]string, s.tokens)
	for i := range tokens {
		tokens[i] = token(s.id, i, 0)
	}
	c.Text = strings.Join(tokens, "")
	if s.logprobs > 0 {
		c.Logprobs = newLogprobs(s, tokens)
	}
	return c
}

func newLogprobs(s *sequence, tokens []string) *logprobs {
	l := &logprobs{Tokens: tokens}
	for i := range tokens {
		top := make(map[string]float64, s.logprobs)
		for rank := range s.logprobs {
			top[token(s.id, i, rank)] = -float64(rank+1) / 2
		}
		l.TokenLogprobs = append(l.TokenLogprobs, -0.5)
		l.TopLogprobs = append(l.TopLogprobs, top)
	}
	return l
}

// token is the rank-th likely one at a place of a sequence; the same in every run
// for the same id. The model is simulated: this is all that it says.
func token(id string, place, rank int) string {
	hash := fnv.New32a()
	_, _ = fmt.Fprintf(hash, "%s/%d/%d", id, place, rank) // a hash takes everything
	return fmt.Sprintf(" w%04x", hash.Sum32()&0xffff)
}
