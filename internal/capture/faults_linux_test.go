//go:build amd64 || arm64

package capture

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gpucause/gpucause/bpf"
	"github.com/gpucause/gpucause/internal/event"
)

// leftovers counts what the maps hold for processes that are gone.
type leftovers struct {
	Processes, Functions, Registered, Pointers, Errors int
	Communicators, Pairs, Edges                        int
	Series, Threads                                    int // counter slots
}

func (r *recorder) leftovers() leftovers {
	r.t.Helper()
	maps := &r.session.objects.GpucauseMaps
	return leftovers{
		Processes:  staleEntries(r.t, maps.Processes, func(tgid *uint32) uint32 { return *tgid }),
		Functions:  staleEntries(r.t, maps.Functions, func(k *bpf.GpucauseFunctionKey) uint32 { return k.Tgid }),
		Registered: staleEntries(r.t, maps.Registered, func(k *bpf.GpucauseFunctionKey) uint32 { return k.Tgid }),
		Pointers:   staleEntries(r.t, maps.Pointers, func(k *bpf.GpucausePointerKey) uint32 { return k.Tgid }),
		Errors:     staleEntries(r.t, maps.Errors, func(k *bpf.GpucauseErrorKey) uint32 { return k.Tgid }),

		Communicators: staleEntries(r.t, maps.Communicators, func(k *bpf.GpucauseHandleKey) uint32 { return k.Tgid }),
		Pairs:         staleEntries(r.t, maps.Pairs, func(k *bpf.GpucausePairKey) uint32 { return k.Tgid }),
		Edges:         staleEntries(r.t, maps.Edges, func(k *bpf.GpucauseHandleKey) uint32 { return k.Tgid }),

		Series:  staleSlots(r.t, r.session.tally.calls, func(s *bpf.GpucauseCallSeries) uint32 { return s.Task.Tgid }),
		Threads: staleSlots(r.t, r.session.tally.threads, func(s *bpf.GpucauseThreadStats) uint32 { return s.Task.Tgid }),
	}
}

func gone(pid uint32) bool {
	_, err := os.Stat(filepath.Join("/proc", fmt.Sprint(pid)))
	return err != nil
}

func staleEntries[K any](t *testing.T, m *ebpf.Map, pid func(*K) uint32) int {
	n := 0
	var key K
	value := make([]byte, m.ValueSize())
	entries := m.Iterate()
	for entries.Next(&key, value) {
		if gone(pid(&key)) {
			n++
		}
	}
	require.NoError(t, entries.Err())
	return n
}

func staleSlots[T any](t *testing.T, s *slots[T], pid func(*T) uint32) int {
	n := 0
	var v T
	for slot := s.shared; slot < s.size; slot++ {
		require.NoError(t, s.read(slot, &v))
		if p := pid(&v); p != 0 && gone(p) {
			n++
		}
	}
	return n
}

// A thousand of each: processes killed inside calls, threads that exit inside
// calls, processes that exec and fork inside calls, and jumps out of calls leave
// nothing behind.
func TestFaultsLeaveNothing(t *testing.T) {
	r := startRecorder(t, DefaultSettings())
	after := filepath.Join(t.TempDir(), "after.wl")
	require.NoError(t, os.WriteFile(after, []byte("cudaLaunchKernel func=add\n"), 0o600))
	const each = 1000
	for _, fault := range []struct{ name, script string }{
		{"killed", `process killed { cudaMalloc bytes=1m out=d; inside cuLaunchKernel { kill }; cudaLaunchKernel func=gemm }; join`},
		{"killed in a group", `process ranks { cudaStreamCreate out=s; cudaEventCreate out=e; ncclCommInitAll ndev=1 out=c; ncclGroupStart; ncclSend buff=0 count=1 peer=0 comm=c0 stream=s; cudaEventRecord event=e stream=s; inside cuLaunchKernelEx { kill }; ncclRecv buff=0 count=1 peer=0 comm=c0 stream=s; ncclGroupEnd }; join`},
		{"exited", `thread leaver { inside cuLaunchKernel { exit-thread }; cudaLaunchKernel func=gemm }; join`},
		{"executed", fmt.Sprintf(`process executed { inside cuLaunchKernel { exec self %s }; cudaLaunchKernel func=gemm }; join`, after)},
		{"forked", `process forked { inside cuLaunchKernel { process child { cudaLaunchKernel func=add } }; cudaLaunchKernel func=gemm }; join`},
		{"jumped", `catch { inside cuLaunchKernel { longjmp }; cudaLaunchKernel func=gemm }`},
	} {
		t.Run(fault.name, func(t *testing.T) {
			r.t = t
			abandoned := r.session.Report().AbandonedCalls
			r.run(fmt.Sprintf("repeat %d { %s }\n", each, fault.script))
			if fault.name != "forked" {
				assert.GreaterOrEqual(t, r.session.Report().AbandonedCalls-abandoned, uint64(each))
			}
			defer func() { t.Logf("%+v", r.leftovers()) }()
			require.Eventually(t, func() bool {
				r.drain()
				r.collect()
				return r.leftovers() == leftovers{}
			}, 10*time.Second, 100*time.Millisecond)
		})
	}
	report := r.session.Report()
	t.Logf("abandoned %d, unmatched %d, dropped %v", report.AbandonedCalls, report.UnmatchedReturns, report.Dropped)
}

// Calls nested deeper than the frame stack are counted as such and disturb nothing.
func TestDeepRecursion(t *testing.T) {
	r := startRecorder(t, DefaultSettings())
	r.run("cudaLaunchKernel func=gemm\nrecurse 12 { cudaLaunchKernel func=gemm }\ncudaLaunchKernel func=gemm\n")
	report := r.session.Report()
	assert.Positive(t, report.StackOverflows)
	assert.Zero(t, report.UnmatchedReturns)
	assert.Zero(t, report.AbandonedCalls)
}

// A library that lies about what it is, called with hostile arguments, costs
// counted faults and nothing else.
func TestHostileLibrary(t *testing.T) {
	r := startRecorder(t, DefaultSettings())
	out, ready := fakecuda(t), filepath.Join(t.TempDir(), "ready")
	cmd := workload(t)
	cmd.Path = filepath.Join(out, "liar")
	cmd.Args = []string{cmd.Path, filepath.Join(out, "lying", "libcudart.so.12"), "5", ready}
	known := len(r.session.Report().Libraries)
	require.NoError(t, cmd.Start())
	require.Eventually(t, func() bool { return len(r.session.Report().Libraries) > known }, 5*time.Second, 10*time.Millisecond)
	require.NoError(t, os.WriteFile(ready, nil, 0o600))
	r.follow(cmd)
	report := r.session.Report()
	assert.Positive(t, report.UserReadFaults)
	assert.Zero(t, report.Malformed)
	for _, name := range r.names {
		assert.NotContains(t, name, "\x00")
	}
}

// At saturation the counters lose nothing, and the records that the ring buffer
// has no room for are counted.
func TestSaturation(t *testing.T) {
	settings := sampleAll(MechanismAuto)
	settings.RingBytes = 64 << 10
	r := startRecorder(t, settings)
	const threads, calls = 4, 100_003
	tr := r.run(fmt.Sprintf("thread worker count=%d { cudaStreamCreate out=s@\nrepeat %d { cudaLaunchKernel func=gemm stream=s@ } }\njoin\n", threads, calls))
	assert.Equal(t, tr.counts, r.counts())
	dropped := r.session.Report().Dropped[event.KindCall]
	assert.Positive(t, dropped)
	// Of all processes that made calls meanwhile, not only ours: each call was sampled.
	assert.Equal(t, r.counted, r.told+dropped)
	report := r.session.Report()
	t.Logf("%d calls: %d records read, %d dropped, %d unmatched, %d abandoned, programs %+v", r.counted, r.told, dropped, report.UnmatchedReturns, report.AbandonedCalls, report.Programs)
}

// When there is no slot left for a thread's function, its calls count in a shared series.
func TestSeriesOverflow(t *testing.T) {
	settings := DefaultSettings()
	settings.MaxSeries = 4
	settings.MaxThreads = 2
	r := startRecorder(t, settings)
	tr := r.run("thread worker count=5 { repeat 101 { cudaLaunchKernel func=gemm } }\njoin\n")
	want, got := make(map[string]uint64), make(map[string]uint64)
	for key, n := range tr.counts {
		want[key.symbol] += n
	}
	shared := uint64(0)
	for key, n := range r.counts() {
		got[key.symbol] += n
		if key.thread.PID == 0 {
			shared += n
		}
	}
	assert.Equal(t, want, got)
	assert.Positive(t, shared)
	report := r.session.Report()
	assert.Positive(t, report.MapFull["series"])
	assert.Positive(t, report.MapFull["thread_stats"])
}

// Close leaves no link, program or map of ours behind.
func TestCloseLeavesNothing(t *testing.T) {
	requireKernel(t)
	before := programIDs(t)
	r := startRecorder(t, DefaultSettings())
	r.run("cudaLaunchKernel func=gemm\n")
	require.NoError(t, r.session.Close())
	require.NoError(t, r.session.Close(), "twice")
	require.Eventually(t, func() bool { return len(programIDs(t)) <= len(before) }, untilDetached(t), 50*time.Millisecond)
}

func programIDs(t *testing.T) []ebpf.ProgramID {
	t.Helper()
	var ids []ebpf.ProgramID
	names := make(map[string]bool)
	for name := range programFields(&bpf.GpucausePrograms{}) {
		names[name] = true
	}
	for id, err := ebpf.ProgramGetNextID(0); err == nil; id, err = ebpf.ProgramGetNextID(id) {
		program, err := ebpf.NewProgramFromID(id)
		if err != nil {
			continue
		}
		if info, err := program.Info(); err == nil && names[strings.TrimSpace(info.Name)] {
			ids = append(ids, id)
		}
		_ = program.Close()
	}
	return ids
}
