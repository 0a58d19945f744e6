package core

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/window"
)

// paid is what a number of requests with so many stalls each get at one time.
func paid(b *budget, requests, stalls int, now window.Time) (summaries, children int) {
	for range requests {
		summary, shown := b.take(stalls, now)
		if summary {
			summaries++
		}
		children += shown
	}
	return summaries, children
}

// TestBudget has requests that all come at once, as those of an engine that a
// stall has held up: a budget of 100 a second has 200 then.
func TestBudget(t *testing.T) {
	for name, test := range map[string]struct {
		requests, stalls    int
		summaries, children int
	}{
		"there is enough for all":              {5, 19, 5, 95},
		"no request is without summary":        {100, 20, 100, 95},
		"a single request with many stalls":    {1, 1000, 1, 99},
		"summaries may take what stalls leave": {150, 0, 150, 0},
		"more than are saved up":               {500, 0, 200, 0},
		"more than are saved up, with stalls":  {500, 20, 105, 95},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBudget(100)
			summaries, children := paid(&b, test.requests, test.stalls, window.Time(time.Hour))
			assert.Equal(t, test.summaries, summaries)
			assert.Equal(t, test.children, children)
		})
	}
}

// TestBudgetOfLongLoad has, for a minute, as many requests a second as the budget
// has spans; and half as many, which leave half of it to stalls.
func TestBudgetOfLongLoad(t *testing.T) {
	for perSecond, fewest := range map[int]int{100: 0, 50: 60 * 50} {
		b, now := newBudget(100), window.Time(time.Hour)
		var children int
		for range 60 * perSecond {
			now = now.Add(time.Second / time.Duration(perSecond))
			summary, shown := b.take(20, now)
			assert.True(t, summary, "%d a second", perSecond)
			children += shown
		}
		assert.GreaterOrEqual(t, children, fewest)
		assert.LessOrEqual(t, children, fewest+100, "what was saved up comes on top")
	}
}
