//go:build amd64 || arm64

package capture

import (
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
		reason event.OffCPUReason
		script string
	}{
		{event.ReasonFutex, "thread holder { lock m; sleep 20ms; unlock m }\nsleep 5ms\ninside cuLaunchKernel { lock m; unlock m }\n"},
		{event.ReasonIO, "make-file /var/tmp/gpucause-reasons 32m\ninside cuLaunchKernel { read-file /var/tmp/gpucause-reasons 32m direct chunk=8m }\n"},
		{event.ReasonPoll, "pipe p\nprocess writer { sleep 20ms; write p 4 }\ninside cuLaunchKernel { poll p 1s }\n"},
		{event.ReasonRead, "pipe p\nprocess writer { sleep 20ms; write p 4 }\ninside cuLaunchKernel { read p 4 }\n"},
		{event.ReasonSleep, "inside cuLaunchKernel { sleep 20ms }\n"},
		{event.ReasonPreempted, "pin 0\nprocess hog daemon { pin 0; fifo 10; repeat 100 { sleep 5ms; burn 10ms } }\nsleep 20ms\ninside cuLaunchKernel { spin 40ms }\n"},
	} {
		t.Run(tt.reason.String(), func(t *testing.T) {
			r.t, r.offCPU, r.calls = t, nil, nil
			r.run("cudaLaunchKernel func=gemm\n" + tt.script + "cudaLaunchKernel func=gemm\njoin\nremove /var/tmp/gpucause-reasons\n")
			inside := slices.DeleteFunc(slices.Clone(r.offCPU), func(o event.OffCPU) bool { return o.Call == 0 })
			require.NotEmpty(t, inside)
			longest := slices.MaxFunc(inside, func(a, b event.OffCPU) int { return int(a.End - a.Start - b.End + b.Start) })
			assert.Equal(t, tt.reason, longest.Reason)
			assert.Greater(t, longest.End.Sub(longest.Start), time.Millisecond)
			assert.Equal(t, tt.reason.Runnable(), longest.Preempted)
			assert.Equal(t, tt.reason == event.ReasonIO, longest.IOWait)
			assert.NotEqual(t, !tt.reason.Runnable(), longest.Stack[0] == 0, "a blocked thread has a stack")
		})
	}
}
