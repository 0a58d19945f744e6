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
	"github.com/gpucause/gpucause/internal/probe"
)

// bookshop plays a process whose communicators are read.
type bookshop struct {
	t       *testing.T
	tracker *collective.Tracker
	reading *reading
	asked   chan commQuestion
}

func newBookshop(t *testing.T, answer func(commQuestion) (collective.Read, error)) *bookshop {
	b := &bookshop{t: t, tracker: collective.New(collective.Settings{}), asked: make(chan commQuestion, 10)}
	b.reading = newReading(func(q commQuestion) (collective.Read, error) {
		b.asked <- q
		return answer(q)
	})
	go b.reading.asker.run(t.Context())
	return b
}

// record has the process call a function with a communicator.
func (b *bookshop) record(symbol string, serial event.Serial, args ...uint64) {
	b.t.Helper()
	r := event.Communicator{Process: event.ProcessID{PID: 7}, Probe: probeOf(b.t, symbol), Serial: serial, Handle: 0x10 * uint64(serial)}
	r.Identity[0] = 1
	copy(r.Args[:], args)
	if fresh := b.tracker.Add(&event.Record{Kind: event.KindCommunicator, Communicator: r}); fresh != nil {
		b.reading.add(fresh)
	}
}

func (b *bookshop) older(serial event.Serial) { b.record("ncclAllReduce", serial) }

func (b *bookshop) teacher(serial event.Serial) {
	slots := probe.Get(probeOf(b.t, "ncclCommInitRankConfig")).Communicator
	args := make([]uint64, probe.MaxSlots)
	args[slots.Size], args[slots.Rank] = 2, 1
	b.record("ncclCommInitRankConfig", serial, args...)
}

func (b *bookshop) next(now ktime.Time) commQuestion {
	b.t.Helper()
	var q commQuestion
	require.Eventually(b.t, func() bool {
		b.reading.collect(b.tracker, now)
		select {
		case q = <-b.asked:
			return true
		default:
			return false
		}
	}, 10*time.Second, time.Millisecond)
	return q
}

const ms = ktime.Time(time.Millisecond)

// A communicator that could not be read is read again as soon as another one of
// its process has taught where to look, and not only when its time comes.
func TestReadingIsHastened(t *testing.T) {
	b := newBookshop(t, func(q commQuestion) (collective.Read, error) {
		if q.teaches() {
			return collective.Read{Hash: 1, Rank: q.rank, Size: q.size}, nil
		}
		return collective.Read{}, errors.New("not learnt yet")
	})
	b.older(1)
	b.reading.collect(b.tracker, 1*ms)
	assert.EqualValues(t, 0x10, b.next(101*ms).handle)

	b.teacher(2)
	b.reading.collect(b.tracker, 102*ms)
	assert.EqualValues(t, 0x20, b.next(202*ms).handle)
	assert.EqualValues(t, 0x10, b.next(203*ms).handle, "before its time, which is 301 ms")
	assert.Len(t, b.reading.due, 1)
}

// A communicator of which all is known is read until there is an answer: the first
// time it may not be filled in.
func TestTeachersAreReadUntilTheyTeach(t *testing.T) {
	times := 0
	b := newBookshop(t, func(q commQuestion) (collective.Read, error) {
		if times++; times < 3 {
			return collective.Read{}, errors.New("not filled in")
		}
		return collective.Read{Hash: 1, Rank: q.rank, Size: q.size}, nil
	})
	b.teacher(1)
	b.reading.collect(b.tracker, 1*ms)
	for _, at := range []ktime.Time{101, 301, 701} {
		assert.EqualValues(t, 0x10, b.next(at*ms).handle)
		if at == 101 {
			assert.Len(t, b.reading.due, 1)
		}
	}
	require.Eventually(t, func() bool {
		b.reading.collect(b.tracker, 702*ms)
		return len(b.reading.due) == 0
	}, 10*time.Second, time.Millisecond)
}

// The memory of a communicator that has ended may be another one's.
func TestCommunicatorsThatHaveEndedAreNotRead(t *testing.T) {
	b := newBookshop(t, func(commQuestion) (collective.Read, error) { return collective.Read{}, errors.New("no") })
	b.teacher(1)
	b.older(2)
	b.reading.collect(b.tracker, 1*ms)
	b.record("ncclCommDestroy", 1)
	assert.EqualValues(t, 0x20, b.next(101*ms).handle)
	assert.Empty(t, b.asked)
	assert.Len(t, b.reading.due, 1)
}
