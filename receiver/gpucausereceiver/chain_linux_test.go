package gpucausereceiver

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/gpucause/gpucause/receiver/gpucausereceiver/internal/metadata"
)

// tolerance is how exactly off-CPU time must equal the time that a workload injected.
const tolerance = time.Millisecond

// story is what came out of one workload script, and what the workload says.
type story struct {
	t        testing.TB
	children map[pcommon.SpanID][]ptrace.Span
	cycles   []ptrace.Span
	roots    []ptrace.Span // outermost calls, in cycles or not
	waits    []injectedWait
}

// injectedWait is a wait line of the workload's truth report.
type injectedWait struct {
	Type, Thread, Kind, Inside string
	TID                        int64
	Other                      int64         `json:"other_tid"`
	Duration                   time.Duration `json:"duration_ns"`
}

// tell traces a script with the real probes, from its first call.
func tell(t testing.TB, script string) *story {
	t.Helper()
	requireKernelTests(t)
	var traces consumertest.TracesSink
	config := testConfig()
	config.Stalls.Mode = StallModeAll // there is no second cycle to compare with
	receiver, err := NewFactory().CreateTraces(t.Context(), receivertest.NewNopSettings(metadata.Type), config, &traces)
	require.NoError(t, err)
	truth := filepath.Join(t.TempDir(), "truth")
	workload := rehearse(t, 0, workloadProgram, whenTraced+script, "-", "--truth="+truth)
	require.NoError(t, receiver.Start(t.Context(), componenttest.NewNopHost()))
	pid := workload.perform(t)
	require.NoError(t, receiver.Shutdown(t.Context()))
	s := storyOf(t, &traces, pid)
	s.waits = readWaits(t, truth)
	return s
}

// storyOf collects what was told of one process.
func storyOf(t testing.TB, traces *consumertest.TracesSink, pid int64) *story {
	t.Helper()
	s := &story{t: t, children: make(map[pcommon.SpanID][]ptrace.Span)}
	for _, batch := range traces.AllTraces() {
		s.add(batch, pid)
	}
	for _, cycle := range s.cycles {
		for _, child := range s.children[cycle.SpanID()] {
			if attr(child, "cuda.call.name") != "" {
				s.roots = append(s.roots, child)
			}
		}
	}
	return s
}

func readWaits(t testing.TB, path string) []injectedWait {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	var waits []injectedWait
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var w injectedWait
		require.NoError(t, json.Unmarshal(lines.Bytes(), &w))
		if w.Type == "wait" {
			waits = append(waits, w)
		}
	}
	return waits
}

// add indexes the spans; roots are kept of the workload's main process only.
func (s *story) add(batch ptrace.Traces, pid int64) {
	for _, resource := range batch.ResourceSpans().All() {
		process, _ := resource.Resource().Attributes().Get("process.pid")
		for _, scope := range resource.ScopeSpans().All() {
			for _, span := range scope.Spans().All() {
				if !span.ParentSpanID().IsEmpty() {
					s.children[span.ParentSpanID()] = append(s.children[span.ParentSpanID()], span)
				} else if process.Int() == pid {
					s.addRoot(span)
				}
			}
		}
	}
}

func (s *story) addRoot(span ptrace.Span) {
	if span.Name() == "dispatch cycle" {
		s.cycles = append(s.cycles, span)
		return
	}
	s.roots = append(s.roots, span)
}

func length(span ptrace.Span) time.Duration {
	return span.EndTimestamp().AsTime().Sub(span.StartTimestamp().AsTime())
}

func attr(span ptrace.Span, key string) string {
	if value, ok := span.Attributes().Get(key); ok {
		return value.AsString()
	}
	return ""
}

// waitsUnder returns the off-CPU spans that interrupted a call: under it and
// under the calls nested in it, on its thread.
func (s *story) waitsUnder(call ptrace.Span) []ptrace.Span {
	var found []ptrace.Span
	for _, child := range s.children[call.SpanID()] {
		switch {
		case attr(child, "thread.id") != attr(call, "thread.id"):
		case attr(child, "off_cpu.kind") != "":
			found = append(found, child)
		default:
			found = append(found, s.waitsUnder(child)...)
		}
	}
	return found
}

// sum adds up the spans of one kind and reason.
func sum(spans []ptrace.Span, kind, reason string) time.Duration {
	var total time.Duration
	for _, span := range spans {
		if attr(span, "off_cpu.kind") == kind && attr(span, "off_cpu.reason") == reason {
			total += length(span)
		}
	}
	return total
}

// launch returns the longest launch that is a trace of its own.
func (s *story) launch() ptrace.Span {
	s.t.Helper()
	roots := slices.DeleteFunc(slices.Clone(s.roots), func(span ptrace.Span) bool { return span.Name() != "cudaLaunchKernel" })
	require.NotEmpty(s.t, roots, "no trace of a launch")
	return slices.MaxFunc(roots, func(a, b ptrace.Span) int { return int(length(a) - length(b)) })
}

// injected returns the longest wait of a kind that happened inside a call.
func (s *story) injected(kind string) injectedWait {
	s.t.Helper()
	waits := slices.DeleteFunc(slices.Clone(s.waits), func(w injectedWait) bool { return w.Kind != kind || w.Inside == "" })
	require.NotEmpty(s.t, waits)
	return slices.MaxFunc(waits, func(a, b injectedWait) int { return int(a.Duration - b.Duration) })
}

// A launch blocked on a lock whose holder waits for the disk.
func TestChainLockHolderInFileIO(t *testing.T) {
	hold(t, func(t *trial) {
		s := tell(t, `
cudaLaunchKernel func=gemm
make-file /var/tmp/gpucause-chain-test 64m
thread holder {
  lock m
  barrier held 2
  await-blocked
  loop 15ms { read-file /var/tmp/gpucause-chain-test 16m direct chunk=8m }
  unlock m
}
barrier held 2
inside cuLaunchKernel { lock m; unlock m }
cudaLaunchKernel func=gemm
join
remove /var/tmp/gpucause-chain-test
`)
		launch, truth := s.launch(), s.injected("lock")
		waits := s.waitsUnder(launch)
		// Until the wakeup it is blocked; then it may wait for a CPU, which the workload counts as the lock, too.
		offCPU := sum(waits, "blocked", "futex") + sum(waits, "runnable", "run_queue")
		assert.InDelta(t, truth.Duration, offCPU, float64(tolerance))
		blocked := slices.MaxFunc(waits, func(a, b ptrace.Span) int { return int(length(a) - length(b)) })
		assert.Equal(t, "blocked: futex", blocked.Name())
		assert.Equal(t, "futex", attr(blocked, "off_cpu.syscall"))
		assert.Equal(t, "holder", attr(blocked, "off_cpu.waker.comm"))
		assert.Contains(t, attr(blocked, "off_cpu.stack"), "futex")
		var io time.Duration
		for _, child := range s.children[blocked.SpanID()] {
			assert.Equal(t, "holder", attr(child, "thread.name"))
			if attr(child, "off_cpu.reason") == "io" {
				io += length(child)
			}
		}
		assert.Greater(t, io, length(blocked)/4, "the holder's own story is its disk writes")
	})
}

// A launch blocked in poll on a pipe that a slow process writes. The first time
// nothing is known of that process; then it is followed.
func TestChainPollOnPipe(t *testing.T) {
	hold(t, func(t *trial) {
		s := tell(t, `
cudaLaunchKernel func=gemm
pipe p
process feeder {
  repeat 20 { sleep 30ms; write p 4 }
}
repeat 20 {
  inside cuLaunchKernel { poll p 1s; read p 4 }
  cudaLaunchKernel func=gemm
  sleep 20ms
}
join
`)
		var stories []string
		for _, launch := range s.roots {
			waits := s.waitsUnder(launch)
			// A write that comes while the thread is about to sleep wakes nobody.
			if launch.Name() != "cudaLaunchKernel" || sum(waits, "blocked", "poll") < 5*time.Millisecond {
				continue
			}
			blocked := slices.MaxFunc(waits, func(a, b ptrace.Span) int { return int(length(a) - length(b)) })
			assert.Equal(t, "feeder", attr(blocked, "off_cpu.waker.comm"))
			for _, child := range s.children[blocked.SpanID()] {
				stories = append(stories, attr(child, "thread.name")+" "+child.Name())
			}
		}
		assert.Contains(t, stories, "feeder blocked: sleep")
		launch, truth := s.launch(), s.injected("poll")
		waits := s.waitsUnder(launch)
		assert.InDelta(t, truth.Duration, sum(waits, "blocked", "poll")+sum(waits, "runnable", "run_queue"), float64(tolerance))
	})
}

// A launch whose thread loses its CPU to another process.
func TestChainPreempted(t *testing.T) {
	hold(t, func(t *trial) {
		s := tell(t, `
pin 0
cudaLaunchKernel func=gemm
pipe begun
process hog daemon { pin 0; fifo 10; write begun 1; repeat 1000 { sleep 25ms; burn 15ms } }
read begun 1
repeat 5 {
  inside cuLaunchKernel { spin 60ms }
  cudaLaunchKernel func=gemm
}
`)
		launch := s.launch()
		waits := s.waitsUnder(launch)
		assert.Zero(t, sum(waits, "blocked", "futex"))
		// Others of the machine may take the CPU, too.
		byHog := slices.DeleteFunc(waits, func(w ptrace.Span) bool { return attr(w, "off_cpu.preemptor.comm") != "hog" })
		require.NotEmpty(t, byHog)
		longest := slices.MaxFunc(byHog, func(a, b ptrace.Span) int { return int(length(a) - length(b)) })
		assert.Equal(t, "runnable: preempted", longest.Name())
		assert.GreaterOrEqual(t, length(longest), 15*time.Millisecond-tolerance, "as long as the hog burns at least")
	})
}

// A slow launch beside the context switches of other threads is not blamed on them.
func TestChainBeside(t *testing.T) {
	hold(t, func(t *trial) {
		s := tell(t, `
cudaLaunchKernel func=gemm
thread noise count=4 { repeat 500 { sleep 200us } }
sleep 5ms
fifo 10
inside cuLaunchKernel { spin 40ms }
cudaLaunchKernel func=gemm
join
`)
		launch := s.launch()
		assert.Greater(t, length(launch), 40*time.Millisecond)
		for _, wait := range s.waitsUnder(launch) {
			assert.Equal(t, attr(launch, "thread.id"), attr(wait, "thread.id"))
		}
		var offCPU time.Duration
		for _, wait := range s.waitsUnder(launch) {
			offCPU += length(wait)
		}
		assert.Less(t, offCPU, tolerance)
		for _, child := range s.children[launch.SpanID()] {
			assert.NotEqual(t, "noise", attr(child, "thread.name"))
		}
	})
}
