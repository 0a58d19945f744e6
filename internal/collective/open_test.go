package collective

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
)

// issueAll issues the operations from first to last, a millisecond apart from at on.
func (h *host) issueAll(first, last uint32, at ktime.Time) {
	for n := first; n <= last; n++ {
		h.issue(issue{pid: 100, symbol: "ncclAllReduce", serial: 1, operation: n, sequence: uint64(n), end: at + ktime.Time(n-first)*ms})
	}
}

// worth returns the numbers of the operations that are worth a span.
func (h *host) worth(operations []*Operation) (numbers []uint64) {
	for _, o := range operations {
		if h.tracker.Worth(o) {
			numbers = append(numbers, o.Sequence)
		}
	}
	return numbers
}

// advanceTo lets time pass second by second.
func (h *host) advanceTo(now, until ktime.Time) {
	for ; now <= until; now += second {
		h.advance(now)
	}
}

// A job hangs in one operation and has queued others behind it. The one that hangs is
// told, and the last.
func TestTheOperationThatHangsIsTold(t *testing.T) {
	h := newHost(t, Settings{SampleEvery: -1})
	h.begin(100, 1, "id", 2, 0)
	h.issueAll(1, 60, 10*ms)
	h.sync(100, 70*ms, 71*ms, event.Completed{Serial: 1, Operation: 50})
	h.advanceTo(second, 100*second)
	assert.Equal(t, []uint64{51, 60}, h.worth(h.told))
	assert.Empty(t, h.again)
}

// One hangs behind another that was slow: it is told when it is known to be the one.
func TestTheOperationThatHangsIsToldLater(t *testing.T) {
	h := newHost(t, Settings{SampleEvery: -1})
	h.begin(100, 1, "id", 2, 0)
	h.issueAll(1, 10, 10*ms)
	h.advanceTo(second, 12*second)
	assert.Equal(t, []uint64{1, 10}, h.worth(h.told))
	h.seen(100, "cudaEventQuery", 12*second, 12*second+5, event.Completed{Serial: 1, Operation: 4})
	h.advanceTo(13*second, 21*second)
	assert.Len(t, h.again, 4)
	h.advanceTo(22*second, 100*second)
	assert.Len(t, h.again, 5)
	assert.Equal(t, []uint64{1, 5}, h.worth(h.again))
	assert.Zero(t, h.again[4].Completed)
}

// It is told no more than once that it hangs, and that it is complete.
func TestTheOperationThatHungCompletes(t *testing.T) {
	h := newHost(t, Settings{SampleEvery: -1})
	h.begin(100, 1, "id", 2, 0)
	h.issueAll(1, 3, 10*ms)
	h.advanceTo(second, 12*second)
	h.seen(100, "cudaEventQuery", 12*second, 12*second+5, event.Completed{Serial: 1, Operation: 1})
	h.advanceTo(13*second, 24*second)
	h.seen(100, "cudaEventQuery", 25*second, 25*second+5, event.Completed{Serial: 1, Operation: 3})
	h.advanceTo(26*second, 100*second)
	assert.Equal(t, []uint64{1, 2, 2, 3}, h.worth(h.again))
	assert.EqualValues(t, 3, h.tracker.Stats().Late)
}

// A job that never asks whether its operations are complete does not hang: few of
// them are told.
func TestJobsThatNeverAsk(t *testing.T) {
	h := newHost(t, Settings{SampleEvery: -1})
	h.begin(100, 1, "id", 2, 0)
	for n := uint32(1); n <= 1000; n++ {
		at := ktime.Time(n) * second / 2
		h.issueAll(n, n, at)
		h.advance(at)
	}
	assert.Equal(t, []uint64{1}, h.worth(h.told))
	assert.LessOrEqual(t, len(h.tracker.open[commKey{100, 1}].list), 120)
}

// What a group refused is not queued, and holds nothing up.
func TestRefusedOperationsDoNotHang(t *testing.T) {
	h := newHost(t, Settings{SampleEvery: -1})
	h.begin(100, 1, "id", 2, 0)
	h.issue(issue{pid: 100, symbol: "ncclAllReduce", serial: 1, operation: 1, sequence: 1, end: 10 * ms, group: 6})
	h.endGroup(100, 6, 11*ms, 4)
	h.issueAll(2, 4, 20*ms)
	h.advanceTo(second, 11*second)
	assert.Equal(t, []uint64{1, 2, 4}, h.worth(h.told))
	h.sync(100, 30*ms, 12*second, event.Completed{Serial: 1, Operation: 4})
	h.advanceTo(12*second, 20*second)
	assert.Len(t, h.again, 3)
	assert.Zero(t, h.told[0].Completed)
}
