package core

import (
	"time"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/window"
)

// burst is how much time's worth of spans is saved up. Half of it is for summaries
// alone.
const burst = 2 * time.Second

// budget bounds the spans that are appended per second: a token bucket. Children
// of requests are paid for from its upper half only, so that a stall that many
// requests met cannot, by being shown in the first of them, leave the others
// without a summary.
type budget struct {
	perSecond float64
	tokens    float64
	at        window.Time // of the latest refill; 0: not yet
}

func newBudget(perSecond float64) budget { return budget{perSecond: perSecond} }

// take pays for one request: its summary, and up to so many children. It returns
// for which of these there were tokens; without a summary there are no children.
func (b *budget) take(wanted int, now window.Time) (summary bool, children int) {
	b.refill(now)
	if b.tokens < 1 {
		return false, 0
	}
	b.tokens--
	children = min(wanted, max(int(b.tokens-b.capacity()/2), 0))
	b.tokens -= float64(children)
	return true, children
}

// capacity is the most tokens that are saved up.
func (b *budget) capacity() float64 { return b.perSecond * burst.Seconds() }

func (b *budget) refill(now window.Time) {
	capacity := b.capacity()
	if b.at == 0 {
		b.tokens, b.at = capacity, now
	}
	if elapsed := time.Duration(now - b.at); elapsed > 0 {
		b.tokens = min(capacity, b.tokens+elapsed.Seconds()*b.perSecond)
	}
	b.at = now
}
