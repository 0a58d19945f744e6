package tree_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gpucause/gpucause/internal/cmd/tracetree/tree"
)

func printed(t *testing.T, s *story, style tree.Style) string {
	t.Helper()
	traces := tree.Collect(s.traces)
	require.Len(t, traces, 1)
	return tree.Print(traces[0], style)
}

func TestPrintTellsTheChain(t *testing.T) {
	assert.Equal(t, strings.TrimPrefix(`
cudaLaunchKernel took 13.1 ms: its thread was off-CPU for 12.6 ms, blocked on a futex for 12.5 ms, woken by kv-offload
(tid 102), which was itself blocked on storage I/O for 11.8 ms
trace 01000000000000000000000000000000 at 00:00:01.000

 +0.00  13.10 ms  cudaLaunchKernel        engine (tid 101), of vllm (pid 100), gemm, grid 128x8, block 256, stream 0x7
 +0.30  12.50 ms  ├─ blocked: futex       woken by kv-offload (tid 102)
 +0.30  11.80 ms  │  └─ blocked: io       kv-offload (tid 102), in write, woken by interrupt, clipped
+12.80   0.10 ms  └─ runnable: preempted  CPU had by cpu-hog (tid 300)
`, "\n"), printed(t, chain(), tree.Style{}))
}

func TestPrintShowsStacks(t *testing.T) {
	assert.Contains(t, printed(t, chain(), tree.Style{Stacks: true}), `
 +0.30  11.80 ms  │  └─ blocked: io       kv-offload (tid 102), in write, woken by interrupt, clipped
                  │          at io_schedule
                  │          at vfs_write
+12.80`)
}

func TestPrintContinuesDetailsThatDoNotFit(t *testing.T) {
	assert.Contains(t, printed(t, chain(), tree.Style{Width: 80}), `
 +0.00  13.10 ms  cudaLaunchKernel        engine (tid 101), of vllm (pid 100),
                  │                       gemm, grid 128x8, block 256,
                  │                       stream 0x7
 +0.30  12.50 ms  ├─ blocked: futex       woken by kv-offload (tid 102)
`)
}

func TestPrintColoursOnlyWhenAsked(t *testing.T) {
	coloured := printed(t, chain(), tree.Style{Colour: true})
	assert.Contains(t, coloured, "\x1b[31mblocked: futex\x1b[0m")
	assert.Contains(t, coloured, "\x1b[33mrunnable: preempted\x1b[0m")
	assert.NotContains(t, printed(t, chain(), tree.Style{}), "\x1b")
}

func TestPrintFoldsLikeSpans(t *testing.T) {
	s := newStory()
	s.span(1, 0, "cudaFree", 0, 10*time.Millisecond)
	for i := range 6 {
		at := time.Duration(i) * time.Millisecond
		s.span(byte(2+i), 1, "blocked: io", at, at+time.Duration(i+1)*100*time.Microsecond)
	}
	s.span(20, 1, "cuMemFree", 9*time.Millisecond, 10*time.Millisecond)

	assert.Contains(t, printed(t, s, tree.Style{Keep: 2}), `
+0.00  10.00 ms  cudaFree
+4.00   0.50 ms  ├─ blocked: io
+5.00   0.60 ms  ├─ blocked: io
        1.00 ms  ├─ 4 more blocked: io
+9.00   1.00 ms  └─ cuMemFree
`)
}

func TestPrintShowsOnlyWhatIsThere(t *testing.T) {
	s := newStory()
	s.span(1, 0, "cudaFree", 0, 3*time.Microsecond)
	assert.Equal(t, strings.TrimPrefix(`
trace 01000000000000000000000000000000 at 00:00:01.000

+0.00  <0.01 ms  cudaFree
`, "\n"), printed(t, s, tree.Style{}))
}

func TestPrintNamesInterrupts(t *testing.T) {
	for _, context := range []string{"softirq", "hardirq", "interrupt"} {
		s := newStory()
		_ = s.span(1, 0, "blocked: io", 0, time.Millisecond).FromRaw(map[string]any{
			"off_cpu.kind": "blocked", "off_cpu.reason": "io", "off_cpu.waker.context": context,
		})
		assert.Contains(t, printed(t, s, tree.Style{}), "woken by interrupt", context)
	}
}

func TestPrintTellsOfCollectives(t *testing.T) {
	s := newStory()
	s.span(1, 0, "collective", 0, 50*time.Millisecond)
	_ = s.span(2, 1, "ncclAllReduce", 0, 50*time.Millisecond).FromRaw(map[string]any{"nccl.rank": 0, "nccl.size": 4 << 20, "nccl.wait": 0.04})
	_ = s.span(3, 1, "ncclAllReduce", 40*time.Millisecond, 50*time.Millisecond).FromRaw(map[string]any{"nccl.rank": 1, "nccl.size": 4 << 20, "nccl.arrival.cause": "io"})
	_ = s.span(4, 1, "collective verdict", 0, 40*time.Millisecond).FromRaw(map[string]any{"nccl.verdict": "straggler", "stall.cause": "io"})
	assert.Contains(t, printed(t, s, tree.Style{}), `
 +0.00  50.00 ms  collective
 +0.00  50.00 ms  ├─ ncclAllReduce       rank 0, 4 MiB, host stalled 40.00 ms
 +0.00  40.00 ms  ├─ collective verdict  straggler, cause io
+40.00  10.00 ms  └─ ncclAllReduce       rank 1, 4 MiB, came late: io
`)
}
