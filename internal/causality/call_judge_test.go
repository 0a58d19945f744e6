package causality_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/gpucause/gpucause/internal/causality"
	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
	"github.com/gpucause/gpucause/internal/probe"
	"github.com/gpucause/gpucause/internal/timeline"
)

// calls makes one thread's calls of one function, one every 20 ms or one after the other.
type calls struct {
	judge *causality.CallJudge
	probe probe.ID
	tid   event.TID
	id    uint64
	at    ktime.Time
}

func callsOf(judge *causality.CallJudge, tid event.TID, symbol string) *calls {
	row, _ := probe.Find(symbol)
	return &calls{judge: judge, probe: row.ID, tid: tid, at: 1}
}

func (c *calls) next(took time.Duration, notable event.Notable) causality.Kind {
	c.id++
	call := &event.Call{
		Task: event.Task{Thread: event.Thread{PID: 100, TID: c.tid}}, ID: c.id, Probe: c.probe,
		Notable: notable, Start: c.at, End: c.at.Add(took),
	}
	c.at = c.at.Add(max(took, 20*ms))
	return c.judge.Judge(&timeline.Tree{Process: event.ProcessID{PID: 100, Start: 1}, Root: &timeline.Node{Call: call}})
}

// kinds makes n calls and returns how many were of each kind.
func (c *calls) kinds(n int, took time.Duration) map[causality.Kind]int {
	kinds := map[causality.Kind]int{}
	for range n {
		kinds[c.next(took, event.NotableSlow)]++
	}
	return kinds
}

func newCallJudge(settings causality.JudgeSettings) *causality.CallJudge {
	if settings.Baseline == 0 {
		settings.Baseline = -1
	}
	return causality.NewCallJudge(settings)
}

func TestAUsualCallIsNoTrace(t *testing.T) {
	sync := callsOf(newCallJudge(causality.JudgeSettings{}), 101, "cudaEventSynchronize")
	assert.Equal(t, map[causality.Kind]int{causality.KindSample: 3, causality.KindNone: 997}, sync.kinds(1000, 12*ms))
	assert.Equal(t, causality.KindNone, sync.next(17*ms, event.NotableSlow))
	assert.Equal(t, causality.KindStall, sync.next(30*ms, event.NotableSlow))
	assert.Equal(t, causality.KindNone, sync.next(12*ms, event.NotableSlow))
}

func TestACallIsComparedWithItsOwnFunctionAndThread(t *testing.T) {
	judge := newCallJudge(causality.JudgeSettings{})
	short, long := callsOf(judge, 101, "cudaEventSynchronize"), callsOf(judge, 102, "cudaEventSynchronize")
	malloc := callsOf(judge, 101, "cudaMalloc")
	for range 50 {
		for _, c := range []struct {
			*calls
			took time.Duration
		}{{short, 12 * ms}, {long, 60 * ms}, {malloc, 25 * ms}} {
			assert.NotEqual(t, causality.KindStall, c.next(c.took, event.NotableSlow))
		}
	}
	assert.Equal(t, causality.KindStall, short.next(25*ms, event.NotableSlow))
	assert.Equal(t, causality.KindNone, malloc.next(25*ms, event.NotableSlow))
	assert.Equal(t, causality.KindNone, long.next(60*ms, event.NotableSlow))
}

func TestShortCallsAreNeverSlow(t *testing.T) {
	malloc := callsOf(newCallJudge(causality.JudgeSettings{}), 101, "cudaMalloc")
	malloc.kinds(50, ms)
	assert.Equal(t, causality.KindNone, malloc.next(9*ms, event.NotableSlow))
	assert.Equal(t, causality.KindStall, malloc.next(11*ms, event.NotableSlow))
}

// A helper thread allocates once, in a process that has allocated before.
func TestAOneOffOfAnotherThreadIsAmongTheSlowestOfItsProcess(t *testing.T) {
	judge := newCallJudge(causality.JudgeSettings{})
	callsOf(judge, 101, "cudaMalloc").kinds(100, 2*ms)
	assert.Equal(t, causality.KindNone, callsOf(judge, 102, "cudaMalloc").next(2*ms, event.NotableSlow))
	helper := callsOf(judge, 103, "cudaMalloc")
	assert.Equal(t, causality.KindSample, helper.next(200*ms, event.NotableSlow), "not a stall: nothing is typical of the thread")
	assert.Equal(t, causality.KindNone, helper.next(200*ms, event.NotableSlow), "one of its process took as long")
}

// A new thread per step makes no trace per step.
func TestThreadsThatCallOnceAreComparedWithTheirProcess(t *testing.T) {
	judge := newCallJudge(causality.JudgeSettings{Baseline: time.Minute})
	kinds := map[causality.Kind]int{}
	for n := range 9000 { // three minutes
		thread := callsOf(judge, event.TID(1000+n), "cudaEventSynchronize")
		thread.at = ktime.Time(n+1) * ktime.Time(20*ms)
		took := 12 * ms
		if n%4 == 0 {
			took = 30 * ms
		}
		kinds[thread.next(took, event.NotableSlow)]++
	}
	assert.Equal(t, 3, kinds[causality.KindSample])
	assert.Equal(t, 2, kinds[causality.KindBaseline])
	assert.Zero(t, kinds[causality.KindStall])
}

func TestFailedCallsAreAlwaysWorthATrace(t *testing.T) {
	malloc := callsOf(newCallJudge(causality.JudgeSettings{}), 101, "cudaMalloc")
	for range 100 {
		assert.Equal(t, causality.KindFailed, malloc.next(20*time.Microsecond, event.NotableFailed))
	}
	assert.Equal(t, map[causality.Kind]int{causality.KindSample: 3, causality.KindNone: 17}, malloc.kinds(20, 12*ms),
		"that they fail fast is not typical of those that succeed")
	assert.Equal(t, causality.KindFailed, malloc.next(12*ms, event.NotableAbandoned))
	assert.Equal(t, causality.KindStall, malloc.next(time.Minute, event.NotableAbandoned|event.NotableSlow))
}

func TestFirstLaunchesAreWorthATraceAndSlowByThemselves(t *testing.T) {
	launch := callsOf(newCallJudge(causality.JudgeSettings{}), 101, "cudaLaunchKernel")
	for range 50 {
		assert.Equal(t, causality.KindStall, launch.next(40*ms, event.NotableFirstLaunch))
		assert.Equal(t, causality.KindSample, launch.next(30*time.Microsecond, event.NotableFirstLaunch))
	}
	assert.Equal(t, map[causality.Kind]int{causality.KindSample: 3, causality.KindNone: 17}, launch.kinds(20, 12*ms))
}

func TestBaselineOfCallsComesAtItsTimes(t *testing.T) {
	judge := newCallJudge(causality.JudgeSettings{Baseline: time.Minute})
	sync := callsOf(judge, 101, "cudaEventSynchronize")
	assert.Equal(t, 4, sync.kinds(15000, 12*ms)[causality.KindBaseline], "in five minutes, the first of which has the early ones")
	rare := callsOf(judge, 101, "cudaMalloc")
	for n := range 20 {
		assert.NotEqual(t, causality.KindNone, rare.next(3*ms, event.NotableSlow), n)
		rare.at = rare.at.Add(time.Hour)
	}
}

func TestAllCallsAreToldWhereEverythingIs(t *testing.T) {
	sync := callsOf(newCallJudge(causality.JudgeSettings{Mode: causality.ModeAll}), 101, "cudaEventSynchronize")
	assert.Zero(t, sync.kinds(100, 12*ms)[causality.KindNone])
}

func TestTheNextThreadWithATIDHasNoTypicalCalls(t *testing.T) {
	judge := newCallJudge(causality.JudgeSettings{})
	before := callsOf(judge, 101, "cudaEventSynchronize")
	before.kinds(50, 12*ms)
	next := callsOf(judge, 101, "cudaEventSynchronize")
	next.at = before.at
	assert.Equal(t, causality.KindSample, next.next(60*ms, event.NotableSlow))

	orphan := callsOf(judge, 101, "cudaEventSynchronize")
	next.kinds(50, 12*ms)
	orphan.next(12*ms, event.NotableSlow)
	assert.Equal(t, causality.KindStall, next.next(60*ms, event.NotableSlow), "the thread is the same")
}

func TestJudgedCallersAreBounded(t *testing.T) {
	judge := newCallJudge(causality.JudgeSettings{MaxThreads: 1})
	kept := callsOf(judge, 1, "cudaMalloc")
	kept.kinds(50, 12*ms)
	for n := range 10 {
		callsOf(judge, event.TID(2+n), "cudaMalloc").next(12*ms, event.NotableSlow)
		assert.Equal(t, causality.KindStall, kept.next(60*ms, event.NotableSlow), "it has just called")
		kept.kinds(8, 12*ms)
	}
	assert.Equal(t, 4, judge.Callers())
	assert.EqualValues(t, 8, judge.Evicted())
	judge.Forget(100)
	assert.Zero(t, judge.Callers())
	assert.Equal(t, causality.KindSample, kept.next(12*ms, event.NotableSlow))
}

func TestCallsAreJudgedDeterministically(t *testing.T) {
	judge, again := newCallJudge(causality.JudgeSettings{MaxThreads: 2}), newCallJudge(causality.JudgeSettings{MaxThreads: 2})
	for n := range 2000 {
		took := time.Duration(1+n*n%37) * ms
		first, second := callsOf(judge, event.TID(n%13), "cudaMalloc"), callsOf(again, event.TID(n%13), "cudaMalloc")
		first.id, second.id = uint64(n), uint64(n)
		first.at, second.at = ktime.Time(n)*1e9, ktime.Time(n)*1e9
		if a, b := first.next(took, event.NotableSlow), second.next(took, event.NotableSlow); a != b {
			t.Fatalf("call %d is a %s and a %s", n, a, b)
		}
	}
}

func BenchmarkCallJudge(b *testing.B) {
	sync := callsOf(newCallJudge(causality.JudgeSettings{}), 101, "cudaEventSynchronize")
	b.ReportAllocs()
	for b.Loop() {
		sync.next(12*ms, event.NotableSlow)
	}
}
