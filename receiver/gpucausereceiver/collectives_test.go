package gpucausereceiver

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gpucause/gpucause/internal/collective"
	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
)

// A communicator that could not be read is read again as soon as another one of
// its process has taught where to look, and not only when its time comes.
func TestReadingIsHastened(t *testing.T) {
	const ms = ktime.Time(time.Millisecond)
	asked := make(chan commQuestion, 10)
	r := newReading(func(q commQuestion) (collective.Read, error) {
		asked <- q
		if q.teaches() {
			return collective.Read{Hash: 1, Rank: q.rank, Size: q.size}, nil
		}
		return collective.Read{}, errors.New("not learnt yet")
	})
	go r.asker.run(t.Context())
	tracker := collective.New(collective.Settings{})
	process := event.ProcessID{PID: 7}
	next := func(now ktime.Time) commQuestion {
		t.Helper()
		var q commQuestion
		require.Eventually(t, func() bool {
			r.collect(tracker, now)
			select {
			case q = <-asked:
				return true
			default:
				return false
			}
		}, 10*time.Second, time.Millisecond)
		return q
	}
	old := &collective.Communicator{Process: process, Handle: 0x10, Rank: collective.Unknown, Size: collective.Unknown}
	r.add(old)
	r.collect(tracker, 1*ms)
	assert.EqualValues(t, 0x10, next(101*ms).handle)

	r.add(&collective.Communicator{Process: process, Handle: 0x20, Rank: 1, Size: 2, Key: collective.HashKey(1)})
	r.collect(tracker, 102*ms)
	assert.EqualValues(t, 0x20, next(202*ms).handle)
	assert.EqualValues(t, 0x10, next(203*ms).handle, "before its time, which is 301 ms")
	assert.Len(t, r.due, 1)
}
