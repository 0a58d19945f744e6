package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// prompts is one prompt or a list of them.
type prompts []string

func (p *prompts) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*p = prompts{one}
		return nil
	}
	var list []string
	if err := json.Unmarshal(data, &list); err != nil {
		return errors.New("prompt: a text or a list of texts is needed")
	}
	*p = list
	return nil
}

// completionRequest is the body of a request for completions.
type completionRequest struct {
	Model       string  `json:"model"`
	Prompt      prompts `json:"prompt"`
	MaxTokens   int     `json:"max_tokens"`
	Temperature float64 `json:"temperature"`
	TopP        float64 `json:"top_p"`
	N           int     `json:"n"`
	Logprobs    int     `json:"logprobs"`
	Stream      bool    `json:"stream"`
}

// limits of a request; what is above is refused.
const (
	maxBodyBytes = 8 << 20
	maxN         = 16
	maxPrompts   = 16
	maxLogprobs  = 20
)

// readRequest reads and checks a body. What it leaves out has OpenAI's defaults.
func readRequest(body io.Reader, maxModelLength int) (completionRequest, error) {
	r := completionRequest{MaxTokens: 16, Temperature: 1, TopP: 1, N: 1}
	if err := json.NewDecoder(body).Decode(&r); err != nil {
		return r, fmt.Errorf("reading the body: %w", err)
	}
	return r, r.check(maxModelLength)
}

func (r completionRequest) check(maxModelLength int) error {
	rules := []struct {
		holds bool
		text  string
	}{
		{len(r.Prompt) > 0 && len(r.Prompt) <= maxPrompts, fmt.Sprintf("prompt: 1 to %d are needed", maxPrompts)},
		{r.MaxTokens > 0, "max_tokens: at least 1 is needed"},
		{r.N > 0 && r.N <= maxN, fmt.Sprintf("n: from 1 to %d", maxN)},
		{r.Temperature >= 0 && r.Temperature <= 2, "temperature: from 0 to 2"},
		{r.Temperature > 0 || r.N == 1, "n: only 1 with a temperature of 0, as all choices would be the same"},
		{r.TopP > 0 && r.TopP <= 1, "top_p: above 0, at most 1"},
		{r.Logprobs >= 0 && r.Logprobs <= maxLogprobs, fmt.Sprintf("logprobs: from 0 to %d", maxLogprobs)},
		{!r.Stream, "stream: this server does not stream, leave it out"},
	}
	for _, rule := range rules {
		if !rule.holds {
			return errors.New(rule.text)
		}
	}
	for _, prompt := range r.Prompt {
		if tokens := tokenCount(prompt); tokens > maxModelLength-r.MaxTokens {
			return fmt.Errorf("prompt: %d tokens and max_tokens of %d are more than the model's %d: shorten one of them", tokens, r.MaxTokens, maxModelLength)
		}
	}
	return nil
}

// tokenCount is at least 1: a word is a token, and there is one before the first.
func tokenCount(prompt string) int { return max(1, len(strings.Fields(prompt))) }
