//go:build amd64 || arm64

package capture

import (
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"github.com/stretchr/testify/require"
)

const switchRounds = 15

// TestCostPerSwitch measures what a context switch of an untraced task costs:
// without probes, with an empty program at sched_switch, and with ours at all of
// the scheduler's tracepoints, in turn; it prints medians.
func TestCostPerSwitch(t *testing.T) {
	requireBench(t)
	objects, _, _, err := loadObjects(DefaultSettings())
	require.NoError(t, err)
	defer func() { require.NoError(t, closeObjects(objects)) }()
	empty, emptyWaking := emptyTracepoint(t, "sched_switch"), emptyTracepoint(t, "sched_waking")
	variants := []struct {
		name   string
		attach func() (io.Closer, error)
	}{
		{"no program", func() (io.Closer, error) { return io.NopCloser(nil), nil }},
		{"empty at sched_switch", func() (io.Closer, error) { return link.AttachTracing(link.TracingOptions{Program: empty}) }},
		{"ours at sched_switch", func() (io.Closer, error) {
			return link.AttachTracing(link.TracingOptions{Program: objects.SchedSwitch})
		}},
		{"empty at sched_switch and sched_waking", func() (io.Closer, error) { return attachTogether(empty, emptyWaking) }},
		{"ours, all tracepoints", func() (io.Closer, error) { return attachScheduler(&objects.GpucausePrograms) }},
	}
	times := make([][]float64, len(variants))
	for range switchRounds {
		for i, v := range variants {
			attached, err := v.attach()
			require.NoError(t, err)
			times[i] = append(times[i], timeSwitches(t))
			require.NoError(t, attached.Close())
		}
	}
	base := median(times[0])
	for i, v := range variants {
		t.Logf("%-40s %7.1f ns per switch, %+6.1f ns", v.name, median(times[i]), median(times[i])-base)
	}
	t.Logf("ours at sched_switch costs %.2f of an empty program there, all of ours %.2f of empty ones at switch and wakeup",
		(median(times[2])-base)/(median(times[1])-base), (median(times[4])-base)/(median(times[3])-base))
}

func attachTogether(programs ...*ebpf.Program) (io.Closer, error) {
	var links closers
	for _, program := range programs {
		l, err := link.AttachTracing(link.TracingOptions{Program: program})
		if err != nil {
			return nil, errors.Join(err, links.Close())
		}
		links = append(links, l)
	}
	return links, nil
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

func emptyTracepoint(t *testing.T, tracepoint string) *ebpf.Program {
	t.Helper()
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "empty", Type: ebpf.Tracing, AttachType: ebpf.AttachTraceRawTp, AttachTo: tracepoint, License: "Dual BSD/GPL",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, program.Close()) })
	return program
}

// timeSwitches plays ping-pong over pipes between two processes on one CPU.
func timeSwitches(t *testing.T) float64 {
	t.Helper()
	out, err := exec.Command(filepath.Join(fakecuda(t), "bench-switches"), "100000").Output()
	require.NoError(t, err)
	var ns float64
	_, err = fmt.Sscan(strings.TrimSuffix(strings.TrimSpace(string(out)), " ns/switch"), &ns)
	require.NoError(t, err, "%s", out)
	return ns
}
