package causality_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/gpucause/gpucause/internal/causality"
	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
)

// Of more threads than there is room for, which take turns, none is ever judged.
func TestEvictedThreadsAreCounted(t *testing.T) {
	judge := causality.NewJudge(causality.JudgeSettings{MaxThreads: 3, Baseline: -1})
	threads := make([]cycles, 4)
	for n := range threads {
		threads[n] = cycles{tid: event.TID(101 + n), at: ktime.Time(0).Add(time.Duration(1+n) * ms)}
	}
	turn := func(of int) {
		for n := range of {
			v := judge.Judge(nil, threads[n].next(20*ms, event.Ledger{}))
			assert.Zero(t, v.Typical, "in the warm-up")
		}
	}
	turn(3)
	assert.Zero(t, judge.Evicted())
	threads[3].at = threads[3].at.Add(20 * ms)
	for range 50 {
		turn(4)
	}
	assert.EqualValues(t, 197, judge.Evicted())
	assert.Equal(t, 3, judge.Threads())
	judge.Forget(100)
	assert.EqualValues(t, 197, judge.Evicted(), "a process that is gone is not evicted")
}
