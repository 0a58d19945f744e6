package engine

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTokenLine(t *testing.T) {
	token, err := readToken("0_cmpl-a-0 3000 1000 2000 00-1-2-01 last")
	require.NoError(t, err)
	assert.Equal(t, Token{ID: "0_cmpl-a-0", At: 3 * time.Microsecond, Queued: time.Microsecond, Scheduled: 2 * time.Microsecond,
		TraceParent: "00-1-2-01", Last: true}, token)
}

func TestMalformedTokenLines(t *testing.T) {
	for line, message := range map[string]string{
		"":                                  "want 6 words",
		"a 1 2 3 - more and more":           "want 6 words",
		"a 1 2 3 - end":                     "want last or more",
		"a 1 x 3 - more":                    `"x" is not a time`,
		"a -1 2 3 - more":                   `"-1" is not a time`,
		"a 99999999999999999999 2 3 - more": "is not a time",
	} {
		_, err := readToken(line)
		assert.ErrorContains(t, err, message, line)
	}
}

func FuzzTokenLine(f *testing.F) {
	f.Add("a 3 1 2 - more")
	f.Add("a 3 1 2 -")
	f.Fuzz(func(t *testing.T, line string) {
		token, err := readToken(line)
		if err == nil && (token.ID == "" || token.At < 0 || token.Queued < 0 || token.Scheduled < 0) {
			t.Errorf("%q is accepted as %+v", line, token)
		}
	})
}
