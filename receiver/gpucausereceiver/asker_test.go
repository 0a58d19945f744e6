package gpucausereceiver

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// An answer that panics is none, and the questions after it are answered.
func TestAskerSurvivesPanics(t *testing.T) {
	var causes []any
	a := newAsker(func(question int) (int, error) {
		if question == 1 {
			panic("a defect")
		}
		return 10 * question, nil
	})
	a.panicked = func(cause any) { causes = append(causes, cause) }
	go a.run(t.Context())
	require.True(t, a.ask(1))
	require.True(t, a.ask(2))
	var got []int
	require.Eventually(t, func() bool {
		a.answers(func(_, answer int) { got = append(got, answer) })
		return len(got) > 0
	}, 10*time.Second, time.Millisecond)
	assert.Equal(t, []int{20}, got)
	assert.Equal(t, []any{"a defect"}, causes)
}
