package api

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDefaults(t *testing.T) {
	r, err := readRequest(strings.NewReader(`{"prompt": "a b"}`), 100)
	require.NoError(t, err)
	assert.Equal(t, completionRequest{Prompt: prompts{"a b"}, MaxTokens: 16, Temperature: 1, TopP: 1, N: 1}, r)
}

func TestSeveralPrompts(t *testing.T) {
	r, err := readRequest(strings.NewReader(`{"prompt": ["a", "b c"], "n": 3}`), 100)
	require.NoError(t, err)
	var ids, externals []string
	for _, s := range newSequences(t.Context(), "cmpl-x", r) {
		ids, externals = append(ids, s.id[:len(s.id)-len("-0123abcd")]), append(externals, s.external)
	}
	assert.Equal(t, []string{"0_cmpl-x-0", "1_cmpl-x-0", "2_cmpl-x-0", "0_cmpl-x-1", "1_cmpl-x-1", "2_cmpl-x-1"}, ids)
	assert.Equal(t, []string{"cmpl-x-0", "cmpl-x-0", "cmpl-x-0", "cmpl-x-1", "cmpl-x-1", "cmpl-x-1"}, externals)
}

func TestWrongRequests(t *testing.T) {
	for body, message := range map[string]string{
		`{`:                                  "reading the body",
		`{"prompt": 5}`:                      "a text or a list of texts",
		`{}`:                                 "prompt: 1 to",
		`{"prompt": []}`:                     "prompt: 1 to",
		`{"prompt": "a", "max_tokens":0}`:    "max_tokens: at least 1",
		`{"prompt": "a", "max_tokens": 100}`: "shorten one of them",
		`{"prompt": "a", "n": 17}`:           "n: from 1 to",
		`{"prompt": "a", "n": 2, "temperature":0}`: "all choices would be the same",
		`{"prompt": "a", "temperature": -1}`:       "temperature: from",
		`{"prompt": "a", "top_p": 0}`:              "top_p: above 0",
		`{"prompt": "a", "logprobs": 21}`:          "logprobs: from",
		`{"prompt": "a", "stream": true}`:          "does not stream",
	} {
		_, err := readRequest(strings.NewReader(body), 100)
		assert.ErrorContains(t, err, message, body)
	}
}

func FuzzRequest(f *testing.F) {
	f.Add(`{"prompt": ["a b", "c"], "max_tokens": 9, "n": 2, "logprobs": 3}`)
	f.Fuzz(func(t *testing.T, body string) {
		r, err := readRequest(strings.NewReader(body), 100)
		if err != nil {
			return
		}
		for _, s := range newSequences(t.Context(), "cmpl-x", r) {
			if asked := s.asked(); asked.PromptTokens < 1 || asked.MaxTokens < 1 || asked.PromptTokens+asked.MaxTokens > 100 {
				t.Errorf("%s is accepted as %+v", body, asked)
			}
		}
	})
}
