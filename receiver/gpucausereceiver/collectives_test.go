package gpucausereceiver

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/connector/connectortest"
	"go.opentelemetry.io/collector/consumer/consumertest"

	"github.com/gpucause/gpucause/connector/collectiveskewconnector"
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

// allReduces are a communicator of one rank and operations on it that just ended.
func TestCommunicatorsToReadAreBounded(t *testing.T) {
	r := newReading(func(commQuestion) (collective.Read, error) { return collective.Read{}, nil })
	for range maxReading + 2 {
		r.add(&collective.Communicator{})
	}
	assert.Len(t, r.due, maxReading)
	assert.EqualValues(t, 2, r.refused)
	unread := newReading(nil)
	unread.add(&collective.Communicator{})
	assert.Zero(t, unread.refused, "none is wanted")
}

func allReduces(t *testing.T, n int) []event.Record {
	t.Helper()
	begin := probe.Get(probeOf(t, "ncclCommInitRankConfig"))
	c := event.Communicator{Process: engineProcess, Task: engineTask, Probe: begin.ID, Serial: 1}
	c.Identity[0], c.Args[begin.Communicator.Size] = 1, 1
	records := []event.Record{{Kind: event.KindCommunicator, Communicator: c}}
	for i := range n {
		end := fakeNow().Add(time.Duration(i-n) * time.Microsecond)
		records = append(records, event.Record{Kind: event.KindCollective, Collective: event.Collective{
			Task: engineTask, Probe: probeOf(t, "ncclAllReduce"), Start: end - 10, End: end,
			Serial: 1, Operation: uint32(i) + 1, Sequence: uint64(i) + 1,
		}})
	}
	return records
}

// playAllReduces returns how many spans of sampled operations each hand-over had.
func playAllReduces(t *testing.T, perSecond uint32, n int) (handedOver []int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.config.Spans.MaxPerSecond, b.config.NCCL.SampleEvery = perSecond, 1
		b.start()
		b.source.put(allReduces(t, n)...)
		b.pass(b.config.NCCL.Timeout + time.Second)
		b.shutdown()
		for _, traces := range b.traces.AllTraces() {
			handedOver = append(handedOver, traces.SpanCount())
		}
	})
	return handedOver
}

// Sampled operations are emitted beyond the budget, but not where there is none.
func TestNoBudgetNoCollectives(t *testing.T) {
	assert.Equal(t, []int{20}, playAllReduces(t, 1, 10), "a root and a rank each")
	assert.Empty(t, playAllReduces(t, 0, 10))
}

func TestManyCollectivesAreHandedOverInPieces(t *testing.T) {
	total := 0
	for _, n := range playAllReduces(t, 1, maxBatchSpans) {
		assert.LessOrEqual(t, n, maxBatchSpans+1)
		total += n
	}
	assert.Equal(t, 2*maxBatchSpans, total)
}

// A rank whose group failed is paired with those that wait for it, which learn why.
func TestFailedGroupsArePaired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.start()
		begin := probe.Get(probeOf(t, "ncclCommInitRankConfig"))
		for rank := range 2 {
			task := event.Task{Thread: event.Thread{PID: event.PID(100 + rank), TID: event.TID(100 + rank)}}
			c := event.Communicator{Process: event.ProcessID{PID: task.Thread.PID, Start: 1}, Task: task, Probe: begin.ID, Serial: 1}
			c.Identity[0], c.Args[begin.Communicator.Size], c.Args[begin.Communicator.Rank] = 1, 2, uint64(rank)
			now := fakeNow()
			issued := event.Collective{Task: task, Probe: probeOf(t, "ncclAllReduce"), Start: now - 30, End: now - 20, Group: 1, Serial: 1, Operation: 1, Sequence: 1}
			end := event.Collective{Task: task, Probe: probeOf(t, "ncclGroupEnd"), Start: now - 15, End: now - 10, Group: 1, Result: int32(2 * rank)}
			b.source.put(
				event.Record{Kind: event.KindCommunicator, Communicator: c},
				event.Record{Kind: event.KindCollective, Collective: issued},
				event.Record{Kind: event.KindCollective, Collective: end},
			)
		}
		b.pass(b.config.NCCL.Timeout + time.Second)
		b.shutdown()

		assert.Contains(t, b.summary(), "the call of rank 1 failed with ncclSystemError")
	})
}

// summary has the connector judge the traces, and returns what it says in its only
// verdict.
func (b *bench) summary() string {
	b.t.Helper()
	factory := collectiveskewconnector.NewFactory()
	var sink consumertest.TracesSink
	skew, err := factory.CreateTracesToTraces(b.t.Context(), connectortest.NewNopSettings(factory.Type()), factory.CreateDefaultConfig(), &sink)
	require.NoError(b.t, err)
	require.NoError(b.t, skew.Start(b.t.Context(), componenttest.NewNopHost()))
	for _, traces := range b.traces.AllTraces() {
		require.NoError(b.t, skew.ConsumeTraces(b.t.Context(), traces))
	}
	require.NoError(b.t, skew.Shutdown(b.t.Context()))
	require.Equal(b.t, 1, sink.SpanCount())
	span := sink.AllTraces()[0].ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
	summary, _ := span.Attributes().Get("stall.summary")
	return summary.Str()
}

// arrive has a rank of a communicator of two issue its first operation now.
func (b *bench) arrive(rank int) event.Task {
	begin := probe.Get(probeOf(b.t, "ncclCommInitRankConfig"))
	task := event.Task{Thread: event.Thread{PID: event.PID(100 + rank), TID: event.TID(100 + rank)}}
	c := event.Communicator{Process: event.ProcessID{PID: task.Thread.PID, Start: 1}, Task: task, Probe: begin.ID, Serial: 1}
	c.Identity[0], c.Args[begin.Communicator.Size], c.Args[begin.Communicator.Rank] = 1, 2, uint64(rank)
	now := fakeNow()
	b.source.put(
		event.Record{Kind: event.KindCommunicator, Communicator: c},
		event.Record{Kind: event.KindCollective, Collective: event.Collective{
			Task: task, Probe: probeOf(b.t, "ncclAllReduce"), Start: now - 30, End: now - 20, Serial: 1, Operation: 1, Sequence: 1,
		}},
	)
	return task
}

// complete has a rank's synchronisation return now, which began at start.
func (b *bench) complete(task event.Task, start ktime.Time) {
	c := event.Completion{Task: task, Probe: probeOf(b.t, "cudaStreamSynchronize"), Start: start, End: fakeNow()}
	c.Completed[0] = event.Completed{Serial: 1, Operation: 1}
	b.source.put(event.Record{Kind: event.KindCompletion, Completion: c})
}

// A rank that comes later than the timeout is told as the straggler, and the waits for
// it are in the metrics.
func TestRanksThatComeAfterTheTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.start()
		first, start := b.arrive(0), fakeNow()
		b.pass(15 * time.Second)
		require.NotZero(t, b.traces.SpanCount(), "told after the timeout")
		last, lastStart := b.arrive(1), fakeNow()
		b.pass(10 * time.Millisecond)
		b.complete(first, start)
		b.complete(last, lastStart)
		b.pass(b.config.CollectionInterval + time.Second)
		b.shutdown()
		assert.Contains(t, b.summary(), "pid 101) arrived 15.00 s after rank 0")
		assert.Contains(t, b.summary(), "1 rank provably waited for it, 15.00 s")
		for name, want := range map[string]float64{"nccl.collective.wait": 15.02, "nccl.collective.duration": 15.02} {
			count, sum := b.histogram(name)
			assert.EqualValues(t, 2, count, name)
			assert.InDelta(t, want, sum, 0.1, name)
		}
	})
}

// histogram returns the count and sum of all points of the first metrics: the processes
// of these tests are not there, and end.
func (b *bench) histogram(name string) (count uint64, sum float64) {
	for _, resource := range b.metrics.AllMetrics()[0].ResourceMetrics().All() {
		for _, m := range resource.ScopeMetrics().At(0).Metrics().All() {
			if m.Name() != name {
				continue
			}
			for _, point := range m.ExponentialHistogram().DataPoints().All() {
				count += point.Count()
				sum += point.Sum()
			}
		}
	}
	return count, sum
}
