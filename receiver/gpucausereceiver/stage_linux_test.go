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
	// whenTraced begins scripts whose first call is to be traced.
	whenTraced = "ready $ready\nwait-file $go\n"
)

// requireKernelTests skips a test that needs the real probes where they are not wanted.
func requireKernelTests(t testing.TB) {
	t.Helper()
	if os.Getenv("GPUCAUSE_KERNEL_TESTS") == "" {
		t.Skip("needs root and a Linux kernel with BPF: set GPUCAUSE_KERNEL_TESTS=1")
	}
}

// stage runs workload scripts under one receiver with the real probes.
type stage struct {
	receiver receiver.Traces
	traces   consumertest.TracesSink
	tracing  bool
	attach   time.Duration // from a workload's start until a receiver that runs traces it
	nice     int           // of workloads
	disk     string        // a folder whose files are really read and written
}

// openStage makes a receiver, which starts with the first workload.
func openStage(t testing.TB) *stage {
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
	t.Cleanup(func() { _ = s.receiver.Shutdown(context.Background()) })
	return s
}

// trace has the processes traced that have mapped the simulated stack.
func (s *stage) trace(t testing.TB) {
	t.Helper()
	if s.tracing {
		<-time.After(s.attach)
		return
	}
	s.tracing = true
	require.NoError(t, s.receiver.Start(t.Context(), componenttest.NewNopHost())) // attaches before it returns
}

// keepAttached has a process map the simulated stack, and waits until it is traced:
// the workloads that follow are traced from their first call.
func (s *stage) keepAttached(t testing.TB) {
	t.Helper()
	keeper := exec.CommandContext(t.Context(), workloadProgram, "-")
	keeper.Stdin = strings.NewReader("ncclCommInitAll ndev=1 out=c; cudaStreamCreate out=s\nrepeat 1000000 { ncclAllReduce count=1 dtype=99 comm=c0 stream=s; sleep 20ms }\n")
	s.trace(t)
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
func (s *stage) play(t testing.TB, script string, args ...string) int64 {
	t.Helper()
	r := rehearse(t, s.nice, workloadProgram, "", append([]string{workloadScripts + script + ".wl", "--dir=" + s.disk}, args...)...)
	s.trace(t)
	return r.perform(t)
}

// rehearsal is a program of the simulated stack that runs a script, is done with
// its warm-up and waits for its begin.
type rehearsal struct {
	program *exec.Cmd
	output  bytes.Buffer
	begin   string // the file that it waits for
}

// rehearse starts a program with a script that makes the file $ready and waits for
// $go. It returns when the program waits.
func rehearse(t testing.TB, nice int, program, script string, args ...string) *rehearsal {
	t.Helper()
	folder := t.TempDir()
	ready := filepath.Join(folder, "ready")
	r := &rehearsal{begin: filepath.Join(folder, "go")}
	r.program = exec.CommandContext(t.Context(), program, append(args, "--ready="+ready, "--go="+r.begin)...)
	r.program.Stdin, r.program.WaitDelay = strings.NewReader(script), time.Second
	r.program.Stdout, r.program.Stderr = &r.output, &r.output
	startSession(t, r.program, nice)
	require.Eventually(t, func() bool { return exists(ready) }, 30*time.Second, time.Millisecond)
	return r
}

// perform has the program go on to its end and returns its process.
func (r *rehearsal) perform(t testing.TB) int64 {
	t.Helper()
	require.NoError(t, os.WriteFile(r.begin, nil, 0o600))
	require.NoError(t, r.program.Wait(), r.output.String())
	return int64(r.program.Process.Pid)
}

// startSession starts a program in a session of its own, which gets its share
// of the CPUs by nice, whatever else the machine is busy with.
func startSession(t testing.TB, program *exec.Cmd, nice int) {
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
func (s *stage) close(t testing.TB) map[int64][]toldStall {
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
