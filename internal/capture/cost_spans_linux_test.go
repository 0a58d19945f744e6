//go:build amd64 || arm64

package capture

import (
	"testing"

	"github.com/cilium/ebpf"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/gpucause/gpucause/internal/event"
)

// TestCostSpans prints the mean run time of the uprobe programs, by the Linux
// kernel's own statistics, where each call becomes a record, by where the span of
// its thread is looked for.
func TestCostSpans(t *testing.T) {
	requireBench(t)
	t.Setenv("GPUCAUSE_KERNEL_TESTS", "1")
	stats, err := ebpf.EnableStats(uint32(unix.BPF_STATS_RUN_TIME))
	require.NoError(t, err)
	defer stats.Close()
	bpffs := mountBPFFS(t)
	for _, variant := range []struct {
		name            string
		threads, shared bool
	}{{name: "nowhere"}, {name: "thread context", threads: true}, {name: "shared map", shared: true}} {
		settings := spanSettings()
		settings.ThreadSpans = variant.threads
		if variant.shared {
			settings.SharedSpans = bpffs
		}
		r := startRecorder(t, settings)
		p := r.publish(program(t, "publisher"), 1, untilAttached(t)+oneCycle+"wait-file $go\nspan "+spanA+"\nrepeat 20000 { cudaLaunchKernel func=gemm }\n")
		if variant.threads {
			p.place()
		}
		if variant.shared {
			span := sharedSpan(event.ActiveSpan{TraceID: [16]byte{1}, SpanID: [8]byte{2}})
			require.NoError(t, pinned(t, bpffs).Put(uint64(p.pid())<<32|uint64(p.pid()), span))
		}
		p.finish()
		told := 0
		for _, c := range r.calls {
			if c.Span.Known() {
				told++
			}
		}
		for _, c := range r.session.Report().Programs {
			if c.Name == "call_session" || c.Name == "call_return" {
				t.Logf("%-16s %s: %8.1f ns each of %d runs, %d of %d records with a span", variant.name, c.Name, float64(c.RunTime)/float64(c.Runs), c.Runs, told, len(r.calls))
			}
		}
		require.NoError(t, r.session.Close())
	}
}
