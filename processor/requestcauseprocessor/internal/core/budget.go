package core

import (
	"time"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/window"
)

// burst is how much time's worth of spans is saved up.
const burst = 2 * time.Second

// budget bounds the spans that are appended per second: a token bucket.
type budget struct {
	perSecond float64
	tokens    float64
	at        window.Time // of the latest refill; 0: not yet
}

func newBudget(perSecond float64) budget { return budget{perSecond: perSecond} }

// take takes up to so many tokens and returns how many there were.
func (b *budget) take(wanted int, now window.Time) int {
	b.refill(now)
	got := min(wanted, int(b.tokens))
	b.tokens -= float64(got)
	return got
}

func (b *budget) refill(now window.Time) {
	capacity := b.perSecond * burst.Seconds()
	if b.at == 0 {
		b.tokens, b.at = capacity, now
	}
	if elapsed := time.Duration(now - b.at); elapsed > 0 {
		b.tokens = min(capacity, b.tokens+elapsed.Seconds()*b.perSecond)
	}
	b.at = now
}
