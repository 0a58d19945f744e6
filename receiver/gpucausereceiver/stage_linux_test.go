package gpucausereceiver

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/gpucause/gpucause/internal/cmd/tracetree/tree"
	"github.com/gpucause/gpucause/receiver/gpucausereceiver/internal/metadata"
)

const (
	workloadProgram = "../../testdata/fakecuda/out/workload"
	workloadScripts = "../../testdata/scenarios/workloads/"
	niceOfWorkloads = -10
)

// requireKernelTests skips a test that needs the real probes where they are not wanted.
func requireKernelTests(t *testing.T) {
	t.Helper()
	if os.Getenv("GPUCAUSE_KERNEL_TESTS") == "" {
		t.Skip("needs root and a Linux kernel with BPF: set GPUCAUSE_KERNEL_TESTS=1")
	}
}

// stage runs workload scripts under one receiver with the real probes.
type stage struct {
	receiver receiver.Traces
	traces   consumertest.TracesSink
	attach   time.Duration // from a workload's start until it is traced
	nice     int           // of workloads
	disk     string        // a folder whose files are really read and written
}

// openStage starts the receiver.
func openStage(t *testing.T) *stage {
	t.Helper()
	config := testConfig()
	config.DiscoveryInterval = 50 * time.Millisecond
	config.Stalls.BaselineInterval = 0
	s := &stage{attach: 6 * config.DiscoveryInterval, nice: niceOfWorkloads}
	t.Setenv("TMPDIR", "/var/tmp") // on tmpfs nothing would wait
	s.disk = t.TempDir()
	var err error
	s.receiver, err = NewFactory().CreateTraces(t.Context(), receivertest.NewNopSettings(metadata.Type), config, &s.traces)
	require.NoError(t, err)
	require.NoError(t, s.receiver.Start(t.Context(), componenttest.NewNopHost()))
	t.Cleanup(func() { _ = s.receiver.Shutdown(context.Background()) })
	return s
}

// keepAttached has a process map the simulated stack, and waits until it is traced:
// the workloads that follow are traced from their first call.
func (s *stage) keepAttached(t *testing.T) {
	t.Helper()
	keeper := exec.CommandContext(t.Context(), workloadProgram, "-")
	keeper.Stdin = strings.NewReader("ncclCommInitAll ndev=1 out=c; cudaStreamCreate out=s\nrepeat 1000000 { ncclAllReduce count=1 dtype=99 comm=c0 stream=s; sleep 20ms }\n")
	startSession(t, keeper, 0)
	t.Cleanup(func() {
		_ = keeper.Process.Kill()
		_ = keeper.Wait()
	})
	// Every attempt fails, and becomes a span.
	require.Eventually(t, func() bool { return s.traces.SpanCount() > 0 }, 30*time.Second, time.Millisecond)
	require.NoError(t, keeper.Process.Signal(syscall.SIGSTOP))
}

// play runs a script to its end and returns its process. The story begins when
// the warm-up is over and the process is traced.
func (s *stage) play(t *testing.T, script string, args ...string) int64 {
	t.Helper()
	folder := t.TempDir()
	ready, begin := filepath.Join(folder, "ready"), filepath.Join(folder, "go")
	var output bytes.Buffer
	workload := exec.CommandContext(t.Context(), workloadProgram, append([]string{
		workloadScripts + script + ".wl", "--dir=" + s.disk, "--ready=" + ready, "--go=" + begin,
	}, args...)...)
	workload.Stdout, workload.Stderr, workload.WaitDelay = &output, &output, time.Second
	startSession(t, workload, s.nice)
	require.Eventually(t, func() bool { return exists(ready) }, 30*time.Second, time.Millisecond)
	<-time.After(s.attach)
	require.NoError(t, os.WriteFile(begin, nil, 0o600))
	require.NoError(t, workload.Wait(), output.String())
	return int64(workload.Process.Pid)
}

// startSession starts a program in a session of its own, which gets its share
// of the CPUs by nice, whatever else the machine is busy with.
func startSession(t *testing.T, program *exec.Cmd, nice int) {
	t.Helper()
	program.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	require.NoError(t, program.Start())
	// Without autogroups the nice of processes counts, which is as good.
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/autogroup", program.Process.Pid), []byte(strconv.Itoa(nice)), 0)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// close stops the receiver, which emits what it still has, and returns the stalls by process.
func (s *stage) close(t *testing.T) map[int64][]toldStall {
	t.Helper()
	require.NoError(t, s.receiver.Shutdown(t.Context()))
	told := make(map[int64][]toldStall)
	for _, trace := range tree.Collect(s.traces.AllTraces()...) {
		if stall, ok := stallOf(trace); ok {
			told[stall.pid] = append(told[stall.pid], stall)
		}
	}
	return told
}
