//go:build amd64 || arm64

package capture

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/gpucause/gpucause/internal/event"
)

// nobody is an account without any rights.
const nobody = 65534

var (
	// leastCapabilities suffice from Linux 6.6 on.
	leastCapabilities = []uintptr{unix.CAP_BPF, unix.CAP_PERFMON, unix.CAP_SYS_PTRACE}
	// replacedCapabilities are needed as well to reach libraries that were deleted or replaced.
	replacedCapabilities = []uintptr{unix.CAP_DAC_READ_SEARCH, unix.CAP_CHECKPOINT_RESTORE}
)

// publicStack is the workload and its libraries where every account can read them.
func publicStack(t *testing.T) string {
	t.Helper()
	requireKernel(t)
	folder, err := os.MkdirTemp("", "gpucause-public") //nolint:usetesting // TempDir is closed to other accounts
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	require.NoError(t, os.Chmod(folder, 0o755)) //nolint:gosec // read by another account
	copyStack(t, folder)
	return folder
}

// stackProcess is a workload of a folder that waits, with the libraries mapped,
// to run a script.
type stackProcess struct {
	t           *testing.T
	cmd         *exec.Cmd
	goOn, truth string
}

func startStack(t *testing.T, folder, script string) *stackProcess {
	t.Helper()
	private := t.TempDir()
	p := &stackProcess{t: t, goOn: filepath.Join(private, "go"), truth: filepath.Join(private, "truth")}
	p.cmd = exec.Command(filepath.Join(folder, "workload"), "-", "--truth="+p.truth)
	p.cmd.Stdin = strings.NewReader("wait-file " + p.goOn + "\n" + script)
	p.cmd.Stderr = os.Stderr
	require.NoError(t, p.cmd.Start())
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	waitMapped(t, p.cmd.Process.Pid)
	return p
}

// finish lets it run its script to the end: whatever happens to us, it is unharmed.
func (p *stackProcess) finish() *truth {
	p.t.Helper()
	require.NoError(p.t, os.WriteFile(p.goOn, nil, 0o600))
	require.NoError(p.t, p.cmd.Wait())
	return lateTruth(p.t, p.truth)
}

// With exactly the documented capabilities, an account without any other rights
// traces the calls of root's processes, every one.
func TestLeastPrivilege(t *testing.T) {
	for _, tt := range []struct {
		mechanism    Mechanism
		capabilities []uintptr
	}{
		{MechanismMulti, leastCapabilities},
		{MechanismSession, leastCapabilities},
		{MechanismPerf, []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_SYS_PTRACE}},
	} {
		t.Run(tt.mechanism.String(), func(t *testing.T) {
			stack := startStack(t, publicStack(t), someCalls)
			child := startChild(t, childSettings{Mechanism: tt.mechanism}, asNobody(tt.capabilities))
			require.Empty(t, child.opened.Error)
			tr := stack.finish()
			assert.Equal(t, tr.counts, child.result().of(tr))
		})
	}
}

// Libraries that were deleted, or replaced by an update, are reached with two capabilities more.
func TestPrivilegeForReplacedLibraries(t *testing.T) {
	for name, extra := range map[string][]uintptr{"with": replacedCapabilities, "without": nil} {
		t.Run(name, func(t *testing.T) {
			folder := publicStack(t)
			stack := startStack(t, folder, someCalls)
			for _, library := range []string{"libcuda.so.1", "libcudart.so.12"} {
				require.NoError(t, os.Remove(filepath.Join(folder, library)))
			}
			child := startChild(t, childSettings{}, asNobody(append(extra, leastCapabilities...)))
			require.Empty(t, child.opened.Error)
			tr := stack.finish()
			result := child.finish()
			if extra != nil {
				assert.Equal(t, tr.counts, result.of(tr))
				return
			}
			assert.Empty(t, result.of(tr))
			assert.Positive(t, result.Failures["examine"], "it says that it could not look at them")
		})
	}
}

// What is missing is named, before anything is attached.
func TestMissingCapabilityIsNamed(t *testing.T) {
	requireKernel(t)
	for _, tt := range []struct {
		missing   string
		mechanism Mechanism
		has       []uintptr
	}{
		{"CAP_BPF", MechanismAuto, []uintptr{unix.CAP_PERFMON, unix.CAP_SYS_PTRACE}},
		{"CAP_PERFMON", MechanismAuto, []uintptr{unix.CAP_BPF, unix.CAP_SYS_PTRACE}},
		{"CAP_SYS_PTRACE", MechanismAuto, []uintptr{unix.CAP_BPF, unix.CAP_PERFMON}},
		{"CAP_SYS_ADMIN", MechanismPerf, leastCapabilities},
		{"CAP_BPF", MechanismAuto, nil},
	} {
		t.Run(tt.missing, func(t *testing.T) {
			child := startChild(t, childSettings{Mechanism: tt.mechanism}, asNobody(tt.has))
			assert.Equal(t, ErrCapability.Error(), child.opened.Is)
			assert.Contains(t, child.opened.Error, tt.missing)
		})
	}
}

// Without type information of the Linux kernel, Open says so.
func TestNoBTF(t *testing.T) {
	requireKernel(t)
	child := startChild(t, childSettings{}, func(cmd *exec.Cmd) {
		wrap(cmd, "unshare", "--mount", "sh", "-ec", `mount -t tmpfs tmpfs /sys/kernel/btf; exec "$0" "$@"`)
	})
	assert.Equal(t, ErrNoBTF.Error(), child.opened.Is)
}

// In a PID namespace of its own, as in a container without the host's, Open says so.
func TestChildPIDNamespace(t *testing.T) {
	requireKernel(t)
	for name, options := range map[string][]string{"host's proc": nil, "own proc": {"--mount-proc"}} {
		t.Run(name, func(t *testing.T) {
			child := startChild(t, childSettings{}, func(cmd *exec.Cmd) {
				wrap(cmd, append([]string{"unshare", "--pid", "--fork"}, options...)...)
			})
			assert.Equal(t, ErrPIDNamespace.Error(), child.opened.Is)
		})
	}
}

// Where a seccomp filter refuses the system call, as container runtimes do by
// default, Open names it.
func TestRefusedSystemCall(t *testing.T) {
	requireKernel(t)
	child := startChild(t, childSettings{DenyBPF: true}, asNobody(leastCapabilities))
	assert.Contains(t, child.opened.Error, "bpf")
	assert.Contains(t, child.opened.Error, "seccomp")
}

// A Collector that is killed leaves nothing in the Linux kernel, and its target unharmed.
func TestKilledCollectorLeavesNothing(t *testing.T) {
	stack := startStack(t, publicStack(t), "loop 1s { cudaLaunchKernel func=gemm; sleep 1ms }\n")
	child := startChild(t, childSettings{}, nil)
	require.Empty(t, child.opened.Error)
	programs := make(map[ebpf.ProgramID]bool)
	for _, id := range child.opened.Programs {
		programs[ebpf.ProgramID(id)] = true
	}
	require.NotEmpty(t, programs)
	require.NotZero(t, alivePrograms(programs))
	require.NotZero(t, aliveLinks(t, programs))
	require.NoError(t, os.WriteFile(stack.goOn, nil, 0o600))
	time.AfterFunc(200*time.Millisecond, func() { _ = child.cmd.Process.Kill() })
	_ = child.cmd.Wait()
	require.Eventually(t, func() bool { return alivePrograms(programs) == 0 }, 10*time.Second, 10*time.Millisecond)
	assert.Zero(t, aliveLinks(t, programs))
	tr := stack.finish()
	assert.NotEmpty(t, tr.counts)
}

func alivePrograms(ids map[ebpf.ProgramID]bool) int {
	alive := 0
	for id := range ids {
		if program, err := ebpf.NewProgramFromID(id); err == nil {
			alive++
			_ = program.Close()
		}
	}
	return alive
}

func aliveLinks(t *testing.T, programs map[ebpf.ProgramID]bool) int {
	t.Helper()
	alive := 0
	links := new(link.Iterator)
	defer links.Close()
	for links.Next() {
		if info, err := links.Link.Info(); err == nil && programs[info.Program] {
			alive++
		}
	}
	require.NoError(t, links.Err())
	return alive
}

// While the Collector is stopped its targets go on; afterwards every call is in
// the counters, and every record was read or counted as dropped.
func TestStoppedCollector(t *testing.T) {
	const calls = 100_003
	stack := startStack(t, publicStack(t), "repeat 100003 { cudaLaunchKernel func=gemm }\n")
	child := startChild(t, childSettings{RingBytes: 64 << 10, SampleEvery: 1}, nil)
	require.Empty(t, child.opened.Error)
	require.NoError(t, child.cmd.Process.Signal(syscall.SIGSTOP))
	tr := stack.finish()
	require.NoError(t, child.cmd.Process.Signal(syscall.SIGCONT))
	result := child.finish()
	assert.Equal(t, tr.counts, result.of(tr))
	assert.Equal(t, uint64(calls), sumOf(result.of(tr), "cudaLaunchKernel"))
	assert.Greater(t, result.Dropped, uint64(calls))
	// Of all processes of the machine: each call was sampled.
	assert.Equal(t, result.Counted, result.Told+result.Dropped)
	t.Logf("%d calls: %d records read, %d dropped", result.Counted, result.Told, result.Dropped)
}

// of returns the counts of the processes that tr tells of.
func (r childResult) of(tr *truth) map[countKey]uint64 {
	counts := make(map[countKey]uint64)
	for _, c := range r.Counts {
		if tr.pids[c.PID] {
			counts[countKey{event.Thread{PID: c.PID, TID: c.TID}, c.Symbol}] += c.Calls
		}
	}
	return counts
}
