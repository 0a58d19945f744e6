package spans

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/gpucause/gpucause/internal/collective"
	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/probe"
)

// operation is an AllReduce of a single rank, whose call lasted from 10 to 50.
func operation(change func(*collective.Operation)) *collective.Operation {
	row, _ := probe.Find("ncclAllReduce")
	o := &collective.Operation{
		Collective:   &event.Collective{Probe: row.ID, Serial: 1, Operation: 1, Sequence: 1, Start: 10, End: 50},
		Communicator: &collective.Communicator{Size: 1, Key: collective.Key{1}},
		Entered:      10, Enqueued: 50,
	}
	change(o)
	return o
}

func rankOf(o *collective.Operation) map[string]any {
	batch := NewBuilder(Settings{}).NewBatch(0)
	batch.AppendCollective(o)
	spans := all(batch.Traces())
	return spans[len(spans)-1].Attributes().AsRaw()
}

// An operation is queued between two times, or after the first of them.
func TestTimesOfOperations(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*collective.Operation)
		want   map[string]any
	}{
		"queued": {
			func(*collective.Operation) {},
			map[string]any{"nccl.enqueue.not_before": int64(10), "nccl.enqueue.time": int64(50), "nccl.enqueue.quality": "bounded"},
		},
		"queued by a group's end": {
			func(o *collective.Operation) { o.Entered, o.Enqueued = 60, 70 },
			map[string]any{"nccl.enqueue.not_before": int64(60), "nccl.enqueue.time": int64(70), "nccl.enqueue.quality": "bounded"},
		},
		"of a non-blocking communicator": {
			func(o *collective.Operation) { o.AtLeast = true },
			map[string]any{"nccl.enqueue.not_before": int64(10), "nccl.enqueue.time": int64(50), "nccl.enqueue.quality": "lower_bound"},
		},
		"of a group that failed": {
			func(o *collective.Operation) {
				o.Entered, o.Enqueued, o.Refusal = 60, 0, collective.Refusal{At: 70, Result: 2}
			},
			map[string]any{"nccl.enqueue.not_before": int64(60), "nccl.enqueue.time": int64(70), "nccl.enqueue.quality": "lower_bound"},
		},
		"of a group whose end was lost": {
			func(o *collective.Operation) { o.Entered, o.Enqueued = 0, 0 },
			map[string]any{},
		},
		"found pending": {
			func(o *collective.Operation) { o.Pending, o.Completed = 80, 90 },
			map[string]any{
				"nccl.enqueue.not_before": int64(10), "nccl.enqueue.time": int64(50), "nccl.enqueue.quality": "bounded",
				"nccl.completion.pending_time": int64(80), "nccl.completion.time": int64(90),
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := rankOf(operation(c.change))
			for _, key := range []string{
				"nccl.enqueue.not_before", "nccl.enqueue.time", "nccl.enqueue.quality", "nccl.completion.pending_time", "nccl.completion.time",
			} {
				assert.Equal(t, c.want[key], got[key], key)
			}
		})
	}
}

// What is told again is the same span.
func TestOperationsThatAreToldAgain(t *testing.T) {
	o := operation(func(*collective.Operation) {})
	builder := NewBuilder(Settings{})
	first := builder.NewBatch(0)
	first.AppendCollective(o)
	o.Completed = 100
	again := builder.NewBatch(0)
	again.AppendCollective(o)
	before, after := all(first.Traces()), all(again.Traces())
	for i := range after {
		assert.Equal(t, before[i].SpanID(), after[i].SpanID())
		assert.Equal(t, before[i].TraceID(), after[i].TraceID())
		assert.Greater(t, after[i].EndTimestamp(), before[i].EndTimestamp())
	}
}
