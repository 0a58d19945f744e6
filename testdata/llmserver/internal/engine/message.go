package engine

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// NoTraceParent stands where a request has no parent.
const NoTraceParent = "-"

// Sequence is what an engine is asked to continue. ID and TraceParent contain no
// space; ID has at most 191 bytes and TraceParent at most 63.
type Sequence struct {
	ID           string
	PromptTokens int
	MaxTokens    int
	Logprobs     int
	TraceParent  string
}

func (s Sequence) line() string {
	return fmt.Sprintf("add %s %d %d %d %s\n", s.ID, s.PromptTokens, s.MaxTokens, s.Logprobs, s.TraceParent)
}

// Token is one token of a sequence. Times are of the engine's monotonic clock.
type Token struct {
	ID          string
	At          time.Duration
	Queued      time.Duration
	Scheduled   time.Duration
	TraceParent string
	Last        bool
}

// readToken reads what follows the word "out".
func readToken(line string) (Token, error) {
	words := strings.Fields(line)
	if len(words) != 6 {
		return Token{}, fmt.Errorf("reading token %q: want 6 words", line)
	}
	token := Token{ID: words[0], TraceParent: words[4], Last: words[5] == "last"}
	if !token.Last && words[5] != "more" {
		return Token{}, fmt.Errorf("reading token %q: want last or more at its end", line)
	}
	for i, place := range []*time.Duration{&token.At, &token.Queued, &token.Scheduled} {
		ns, err := strconv.ParseInt(words[1+i], 10, 64)
		if err != nil || ns < 0 {
			return Token{}, fmt.Errorf("reading token %q: %q is not a time", line, words[1+i])
		}
		*place = time.Duration(ns)
	}
	return token, nil
}
