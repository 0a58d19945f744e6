//go:build amd64 || arm64

package capture

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/gpucause/gpucause/internal/event"
)

// TestCostPerRun prints the mean run time of each BPF program, by the Linux
// kernel's own statistics, over a workload of calls and switches. The
// statistics themselves cost some 30 ns a run.
func TestCostPerRun(t *testing.T) {
	requireBench(t)
	stats, err := ebpf.EnableStats(uint32(unix.BPF_STATS_RUN_TIME))
	require.NoError(t, err)
	defer stats.Close()
	t.Setenv("GPUCAUSE_KERNEL_TESTS", "1")
	r := startRecorder(t, DefaultSettings())
	r.run("thread worker count=2 { repeat 50000 { cudaLaunchKernel func=gemm }\nrepeat 5000 { cudaStreamSynchronize; sleep 20us } }\njoin\n")
	costs := r.session.Report().Programs
	slices.SortFunc(costs, func(a, b ProgramCost) int { return strings.Compare(a.Name, b.Name) })
	for _, c := range costs {
		if c.Runs > 0 {
			t.Logf("%-14s %9d runs, %8.1f ns each", c.Name, c.Runs, float64(c.RunTime)/float64(c.Runs))
		}
	}
}

// TestCostRecords saturates the ring buffer, all CPUs calling in tight loops with
// every call a record, and prints what a reader takes out of it, and what is lost.
func TestCostRecords(t *testing.T) {
	requireBench(t)
	settings := sampleAll(MechanismAuto)
	settings.RingBytes = DefaultSettings().RingBytes
	t.Setenv("GPUCAUSE_KERNEL_TESTS", "1")
	session := startRecorder(t, settings).session
	cmd := exec.Command(filepath.Join(fakecuda(t), "bench-calls"), "cudaStreamSynchronize", "1000000", "threads=2")
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	started, before := time.Now(), processTime()
	records := drainUntil(t, session, done)
	elapsed, used := time.Since(started), processTime()-before
	dropped := session.Report().Dropped[event.KindCall]
	t.Logf("%d records read in %v of %v CPU time: %.0f ns per record, %.2f million records per CPU second",
		records, elapsed.Round(time.Millisecond), used.Round(time.Millisecond),
		float64(used)/float64(records), float64(records)/used.Seconds()/1e6)
	t.Logf("%d offered, %d dropped: %.1f %% lost at saturation", uint64(records)+dropped, dropped,
		100*float64(dropped)/float64(uint64(records)+dropped))
	var calls uint64
	snapshot, err := session.Snapshot()
	require.NoError(t, err)
	for i := range snapshot.Calls {
		calls += snapshot.Calls[i].Durations.Count()
	}
	t.Logf("%d calls counted in metrics, none lost", calls)
	allocations := testing.AllocsPerRun(1000, func() { _ = session.Drain(func(*event.Record) {}) })
	t.Logf("%.2f allocations per drain", allocations)
}

// drainUntil drains as the receiver does, every 10 ms or at once while there is more.
func drainUntil(t *testing.T, session *Session, done <-chan error) (records int) {
	t.Helper()
	for {
		before := records
		require.NoError(t, session.Drain(func(*event.Record) { records++ }))
		if records-before == drainAtMost {
			continue
		}
		select {
		case err := <-done:
			require.NoError(t, err)
			require.NoError(t, session.Drain(func(*event.Record) { records++ }))
			return records
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// processTime is the CPU time of the process so far.
func processTime() time.Duration {
	var usage unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &usage) // cannot fail
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
