//go:build amd64 || arm64

package capture

import (
	"testing"

	"github.com/cilium/ebpf"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TestCostCollectives prints the mean run time of the uprobe programs, by the
// Linux kernel's own statistics, over calls of a process without a communicator,
// with one, and over operations on it.
func TestCostCollectives(t *testing.T) {
	requireBench(t)
	t.Setenv("GPUCAUSE_KERNEL_TESTS", "1")
	stats, err := ebpf.EnableStats(uint32(unix.BPF_STATS_RUN_TIME))
	require.NoError(t, err)
	defer stats.Close()
	const launches = "repeat 2000 { repeat 10 { cudaLaunchKernel func=gemm stream=s }; cudaStreamSynchronize stream=s }\n"
	const operations = "repeat 2000 { repeat 10 { ncclAllReduce count=1 dtype=7 comm=c0 stream=s }; cudaStreamSynchronize stream=s }\n"
	const communicator = "ncclCommInitAll ndev=1 out=c\n"
	for _, variant := range []struct{ name, script string }{
		{"launches", launches},
		{"launches beside a communicator", communicator + launches},
		{"all-reduces", communicator + operations},
	} {
		r := startRecorder(t, DefaultSettings())
		r.run("cudaStreamCreate out=s\n" + variant.script)
		for _, c := range r.session.Report().Programs {
			if c.Name == "call_session" || c.Name == "call_return" {
				t.Logf("%-32s %s: %8.1f ns each of %d runs, %d collectives told", variant.name, c.Name, float64(c.RunTime)/float64(c.Runs), c.Runs, len(r.collectives))
			}
		}
		require.NoError(t, r.session.Close())
	}
}
