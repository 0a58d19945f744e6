//go:build amd64 || arm64

package capture

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gpucause/gpucause/internal/event"
)

// Each way to wait, inside a launch, has its reason.
func TestReasons(t *testing.T) {
	r := startRecorder(t, DefaultSettings())
	for _, tt := range []struct {
		name   string
		reason event.OffCPUReason
		script string
	}{
		{"futex", event.ReasonFutex, "thread holder { lock m; barrier held 2; await-blocked; sleep 20ms; unlock m }\nbarrier held 2\ninside cuLaunchKernel { lock m; unlock m }\n"},
		{"direct read", event.ReasonIO, "make-file /var/tmp/gpucause-reasons 32m\ninside cuLaunchKernel { read-file /var/tmp/gpucause-reasons 32m direct chunk=8m }\n"},
		{"cold read", event.ReasonIO, "make-file /var/tmp/gpucause-reasons 32m\ninside cuLaunchKernel { read-file /var/tmp/gpucause-reasons 32m cold chunk=8m }\n"},
		{"poll", event.ReasonPoll, "pipe p\nprocess writer { await-blocked; sleep 20ms; write p 4 }\ninside cuLaunchKernel { poll p 1s }\n"},
		{"epoll", event.ReasonPoll, "pipe p\nprocess writer { await-blocked; sleep 20ms; write p 4 }\ninside cuLaunchKernel { epoll p 1s }\n"},
		{"read", event.ReasonRead, "pipe p\nprocess writer { await-blocked; sleep 20ms; write p 4 }\ninside cuLaunchKernel { read p 4 }\n"},
		{"socket", event.ReasonSocket, "socket s\nprocess sender { await-blocked; sleep 20ms; send s 4 }\ninside cuLaunchKernel { receive s 4 }\n"},
		{"sleep", event.ReasonSleep, "inside cuLaunchKernel { sleep 20ms }\n"},
		{"fault", event.ReasonPageFault, "inside cuLaunchKernel { fault 20ms }\n"},
		{"ioctl", event.ReasonIoctl, "inside cuLaunchKernel { ioctl 20ms }\n"},
		{"preempted", event.ReasonPreempted, "pin 0\npipe begun\nprocess hog daemon { pin 0; fifo 10; write begun 1; repeat 100 { sleep 5ms; burn 10ms } }\nread begun 1\ninside cuLaunchKernel { spin 40ms }\n"},
		{"yield", event.ReasonYield, "pin 0\npipe begun\nprocess hog daemon { write begun 1; burn 10s }\nread begun 1\ninside cuLaunchKernel { yield 20 }\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			// A busy machine takes the CPU away, too.
			longest := longestOf(t, r.inLaunch(t, tt.script), func(o event.OffCPU) bool { return o.Preempted == tt.reason.Runnable() })
			assert.Equal(t, tt.reason, longest.Reason)
			assert.Greater(t, longest.End.Sub(longest.Start), 200*time.Microsecond)
			assert.Equal(t, tt.reason == event.ReasonIO, longest.IOWait)
			assert.NotEqual(t, !tt.reason.Runnable(), longest.Stack[0] == 0, "a blocked thread has a stack")
		})
	}
}

// inLaunch runs a script that ends in what a launch is to be interrupted by, and
// the launch, and returns the intervals inside.
func (r *recorder) inLaunch(t *testing.T, script string) []event.OffCPU {
	t.Helper()
	r.t, r.offCPU, r.calls = t, nil, nil
	r.run("cudaLaunchKernel func=gemm\n" + script + "cudaLaunchKernel func=gemm\njoin\nremove /var/tmp/gpucause-reasons\n")
	return slices.DeleteFunc(slices.Clone(r.offCPU), func(o event.OffCPU) bool { return o.Call == 0 })
}

func longestOf(t *testing.T, intervals []event.OffCPU, which func(event.OffCPU) bool) event.OffCPU {
	t.Helper()
	intervals = slices.DeleteFunc(intervals, func(o event.OffCPU) bool { return !which(o) })
	require.NotEmpty(t, intervals)
	return slices.MaxFunc(intervals, func(a, b event.OffCPU) int { return int(a.End - a.Start - b.End + b.Start) })
}

func isThrottled(o event.OffCPU) bool { return o.Throttled }

// A thread whose control group has used up its quota is throttled, whether it
// was running then or was woken, and nothing else is.
func TestThrottled(t *testing.T) {
	group := makeThrottledGroup(t)
	r := startRecorder(t, DefaultSettings())
	t.Run("running", func(t *testing.T) {
		longest := longestOf(t, r.inLaunch(t, "control-group "+group+"\ninside cuLaunchKernel { spin 300ms }\n"), isThrottled)
		assert.Equal(t, event.ReasonThrottled, longest.Reason)
		assert.Greater(t, longest.End.Sub(longest.Start), 20*time.Millisecond)
	})
	t.Run("woken", func(t *testing.T) {
		longest := longestOf(t, r.inLaunch(t, "control-group "+group+"\nthread other daemon { burn 10s }\ninside cuLaunchKernel { repeat 60 { sleep 5ms } }\n"), isThrottled)
		// Since 6.18 it runs until it leaves the Linux kernel, and is throttled there.
		assert.Contains(t, []event.OffCPUReason{event.ReasonSleep, event.ReasonThrottled}, longest.Reason)
		assert.Greater(t, longest.End.Sub(longest.Wake), 2*time.Millisecond)
	})
	t.Run("not at all", func(t *testing.T) {
		r.inLaunch(t, "pin 0\npipe begun\nprocess hog daemon { write begun 1; burn 10s }\nread begun 1\ninside cuLaunchKernel { spin 60ms }\n")
		for _, o := range r.offCPU {
			assert.False(t, o.Throttled)
		}
	})
}

// makeThrottledGroup makes a control group with a fifth of a CPU.
func makeThrottledGroup(t *testing.T) string {
	t.Helper()
	requireKernel(t)
	for _, version := range []struct{ root, has, limit, value string }{
		{"/sys/fs/cgroup/cpu", "cpu.cfs_quota_us", "cpu.cfs_quota_us", "20000"},
		{"/sys/fs/cgroup", "cpu.max", "cpu.max", "20000 100000"},
	} {
		group := filepath.Join(version.root, fmt.Sprintf("gpucause-test-%d", os.Getpid()))
		if err := os.Mkdir(group, 0o755); err != nil {
			continue
		}
		t.Cleanup(func() { _ = os.Remove(group) })
		if _, err := os.Stat(filepath.Join(group, version.has)); err != nil {
			continue
		}
		require.NoError(t, os.WriteFile(filepath.Join(group, version.limit), []byte(version.value), 0o600))
		return group
	}
	t.Skip("no CPU controller of control groups is mounted")
	return ""
}

// A synchronisation that is short of a CPU when the GPU is done is told, with
// who had the CPU, however short it is; one that only waits is not.
func TestSyncWithoutACPU(t *testing.T) {
	settings := DefaultSettings()
	settings.SlowSync = time.Second
	r := startRecorder(t, settings)
	r.run(`
pin 0
cudaLaunchKernel func=gemm
cudaStreamSynchronize
repeat 5 { cudaLaunchKernel func=gemm ns=2ms; cudaStreamSynchronize }
pipe begun
process hog daemon { pin 0; fifo 10; write begun 1; repeat 1000 { sleep 5ms; burn 10ms } }
read begun 1
repeat 150 { cudaLaunchKernel func=gemm ns=2ms; cudaStreamSynchronize }
`)
	interrupted := 0
	for _, c := range r.callsOf("cuStreamSynchronize") {
		assert.NotZero(t, c.Notable&event.NotableInterrupted)
		inside := slices.DeleteFunc(slices.Clone(r.offCPU), func(o event.OffCPU) bool { return o.Task != c.Task || o.Call != c.ID })
		for _, o := range inside {
			if o.Preemptor.Comm.String() == "hog" && o.End.Sub(o.Wake) > time.Millisecond {
				interrupted++
			}
		}
	}
	assert.GreaterOrEqual(t, interrupted, 3)
}
