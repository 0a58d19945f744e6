//go:build amd64 || arm64

package capture

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zaptest"

	"github.com/gpucause/gpucause/internal/event"
)

// emptyRecorder is a recorder whose session has nothing of ours to attach to yet.
func emptyRecorder(t *testing.T) *recorder {
	t.Helper()
	requireKernel(t)
	session, err := Open(context.Background(), DefaultSettings(), zaptest.NewLogger(t))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, session.Close()) })
	return &recorder{t: t, session: session, names: make(map[uint64]string), memory: make(map[event.PID]int64)}
}

// copyStack copies the workload and its libraries: files, and so inodes, of their own.
func copyStack(t *testing.T, to string) {
	t.Helper()
	for _, name := range []string{"workload", "workload-static", "workload-late", "libcuda.so.1", "libcudart.so.12", "libnccl.so.2"} {
		from, err := os.Open(filepath.Join(fakecuda(t), name))
		require.NoError(t, err)
		file, err := os.OpenFile(filepath.Join(to, name), os.O_CREATE|os.O_WRONLY, 0o755) //nolint:gosec // an executable
		require.NoError(t, err)
		_, err = io.Copy(file, from)
		require.NoError(t, err)
		require.NoError(t, file.Close())
		require.NoError(t, from.Close())
	}
}

// runIn runs a script with the workload of another folder, whose libraries are not probed yet.
func (r *recorder) runIn(folder, program, script string) *truth {
	r.t.Helper()
	file := filepath.Join(r.t.TempDir(), "truth")
	cmd := exec.Command(filepath.Join(folder, program), "-", "--truth="+file)
	cmd.Stdin = strings.NewReader(script)
	cmd.Stderr = os.Stderr
	require.NoError(r.t, cmd.Start())
	r.follow(cmd)
	tr := lateTruth(r.t, file)
	r.keep(tr.pids)
	return tr
}

const someCalls = "repeat 13 { cudaLaunchKernel func=gemm }\nrepeat 7 { cudaDeviceSynchronize }\n"

// A process that begins to call 300 ms after it mapped new libraries is traced
// from its first call (with perf uprobes, 3 s).
func TestNewLibraryIsFound(t *testing.T) {
	r := emptyRecorder(t)
	folder := t.TempDir()
	copyStack(t, folder)
	tr := r.runIn(folder, "workload", untilAttached(t)+someCalls)
	assert.Equal(t, tr.counts, r.counts())
}

// A second process that maps libraries already probed is traced from its first call.
func TestKnownLibraryIsTracedAtOnce(t *testing.T) {
	r := startRecorder(t, DefaultSettings())
	for range 5 {
		tr := r.run(someCalls)
		assert.Equal(t, tr.counts, r.counts())
		r.samples = nil
	}
}

// A library that a running process opens late is found.
func TestLateOpenedLibraryIsFound(t *testing.T) {
	r := emptyRecorder(t)
	folder := t.TempDir()
	copyStack(t, folder)
	script := fmt.Sprintf("sleep 400ms\ndlopen %s driver\n", filepath.Join(folder, "libcuda.so.1")) + untilAttached(t) +
		"repeat 11 { driver.cuCtxSynchronize }\n"
	r.runIn(folder, "workload-late", script)
	assert.Equal(t, uint64(11), sumOf(r.counts(), "cuCtxSynchronize"))
}

func sumOf(counts map[countKey]uint64, symbol string) uint64 {
	var n uint64
	for key, count := range counts {
		if key.symbol == symbol {
			n += count
		}
	}
	return n
}

// The CUDA runtime linked into the executable, with hidden symbols, is found there.
func TestStaticRuntimeIsFound(t *testing.T) {
	r := emptyRecorder(t)
	folder := t.TempDir()
	copyStack(t, folder)
	tr := r.runIn(folder, "workload-static", untilAttached(t)+someCalls)
	assert.Equal(t, uint64(13), sumOf(tr.counts, "cudaLaunchKernel"))
	assert.Equal(t, tr.counts, r.counts())
}

// Two copies of a library in two processes are two attachments.
func TestTwoCopies(t *testing.T) {
	r := startRecorder(t, DefaultSettings())
	folder := t.TempDir()
	copyStack(t, folder)
	first := r.run(someCalls)
	assert.Equal(t, first.counts, r.counts())
	r.samples = nil
	second := r.runIn(folder, "workload", untilAttached(t)+someCalls)
	assert.Equal(t, second.counts, r.counts())
}

// A library that was deleted, and whose path now holds another file, is probed
// in the process that still maps it.
func TestReplacedLibrary(t *testing.T) {
	requireKernel(t)
	folder, file := t.TempDir(), filepath.Join(t.TempDir(), "truth")
	goOn := filepath.Join(folder, "go")
	copyStack(t, folder)
	cmd := exec.Command(filepath.Join(folder, "workload"), "-", "--truth="+file)
	cmd.Stdin = strings.NewReader("wait-file " + goOn + "\n" + someCalls)
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	waitMapped(t, cmd.Process.Pid)
	for _, name := range []string{"libcuda.so.1", "libcudart.so.12"} {
		require.NoError(t, os.Remove(filepath.Join(folder, name)))
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte("not a library"), 0o600))
	}
	r := emptyRecorder(t)
	require.NoError(t, os.WriteFile(goOn, nil, 0o600))
	r.follow(cmd)
	tr := lateTruth(t, file)
	r.keep(tr.pids)
	assert.Equal(t, tr.counts, r.counts())
}

// Two containers of one image, each with its own overlay file system and mount
// namespace, share the image's inode: one attachment, and no call counts twice.
func TestContainersOfOneImage(t *testing.T) {
	r := emptyRecorder(t)
	image := t.TempDir()
	copyStack(t, image)
	var commands []*exec.Cmd
	var truths []string
	for i := range 2 {
		container := t.TempDir()
		for _, d := range []string{"upper", "work", "merged"} {
			require.NoError(t, os.Mkdir(filepath.Join(container, d), 0o755)) //nolint:gosec // read by the container
		}
		truthFile := filepath.Join(container, "truth")
		mount := fmt.Sprintf("mount -t overlay overlay -o lowerdir=%s,upperdir=%s/upper,workdir=%s/work %s/merged", image, container, container, container)
		cmd := exec.Command("unshare", "--mount", "sh", "-ec", mount+"; exec "+container+"/merged/workload - --truth="+truthFile)
		cmd.Stdin = strings.NewReader(untilAttached(t) + untilAttached(t) + someCalls)
		cmd.Stderr = os.Stderr
		require.NoError(t, cmd.Start(), "container %d", i)
		commands, truths = append(commands, cmd), append(truths, truthFile)
	}
	want := make(map[countKey]uint64)
	pids := make(map[event.PID]bool)
	libraries := make(map[uint64]bool) // inodes
	for i, cmd := range commands {
		r.follow(cmd)
		tr := lateTruth(t, truths[i])
		for key, n := range tr.counts {
			want[key] += n
		}
		for pid := range tr.pids {
			pids[pid] = true
		}
		for _, l := range r.session.Report().Libraries {
			if strings.Contains(l.Path, "/merged/libcuda.so.1") {
				libraries[l.Inode] = true
			}
		}
	}
	r.keep(pids)
	assert.Len(t, pids, 2)
	assert.Equal(t, want, r.counts())
	assert.Len(t, libraries, 1, "one attachment for both containers")
}

// Of a thread that is blocked when its process is adopted the rest of that time is
// recorded, and since when it is traced.
func TestThreadsThatWereBlockedBefore(t *testing.T) {
	r := emptyRecorder(t)
	folder := t.TempDir()
	copyStack(t, folder)
	long := "sleep 700ms"
	if onlyPerf(t) {
		long = "sleep 5s"
	}
	r.runIn(folder, "workload", "thread sleeper { "+long+" }\n"+untilAttached(t)+someCalls+"join\n")
	var adopted []event.ProcessChange
	for _, c := range r.changes {
		if c.Kind == event.ThreadAdopted {
			adopted = append(adopted, c)
		}
	}
	require.Len(t, adopted, 1)
	for _, o := range r.offCPU {
		if o.Task.Thread == adopted[0].Task.Thread && o.Reason == event.ReasonSleep {
			assert.InDelta(t, 0, adopted[0].At.Sub(o.Start), float64(time.Millisecond))
			assert.Greater(t, o.End.Sub(o.Start), 100*time.Millisecond)
			return
		}
	}
	t.Error("what was left of the sleep is not recorded")
}

// Libraries that nobody maps any more are let go.
func TestUnusedLibraryIsLetGo(t *testing.T) {
	r := emptyRecorder(t)
	folder := t.TempDir()
	copyStack(t, folder)
	r.runIn(folder, "workload", untilAttached(t)+someCalls)
	ours := func() (n int) {
		for _, l := range r.session.Report().Libraries {
			if strings.HasPrefix(l.Path, folder) {
				n++
			}
		}
		return n
	}
	assert.Equal(t, 3, ours(), "runtime, driver, NCCL")
	require.Eventually(t, func() bool { return ours() == 0 }, 30*time.Second, 100*time.Millisecond)
}

// A storm of short processes that map nothing new costs no more than bounded looks.
func TestForkStormIsBounded(t *testing.T) {
	r := startRecorder(t, DefaultSettings())
	before := r.session.Report()
	started := time.Now()
	r.run("repeat 2000 { process child { cudaLaunchKernel func=add }; join }\n")
	report := r.session.Report()
	share := float64(report.DiscoveryTime-before.DiscoveryTime) / float64(time.Since(started))
	t.Logf("%d looks, %.1f%% of one CPU", report.DiscoveryPasses-before.DiscoveryPasses, 100*share)
	assert.Less(t, share, 0.25)
	// While a task's storage is busy on a CPU no other can be made there: such a
	// first call is counted at its entry only.
	busy := report.MapFull["threads"] + report.MapFull["callers"]
	counted := sumOf(r.counts(), "cudaLaunchKernel")
	assert.LessOrEqual(t, counted, uint64(2000))
	assert.GreaterOrEqual(t, counted+busy, uint64(2000))
	assert.LessOrEqual(t, busy, uint64(20))
}
