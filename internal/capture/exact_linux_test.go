//go:build amd64 || arm64

package capture

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/probe"
)

var mechanisms = []Mechanism{MechanismPerf, MechanismMulti, MechanismSession}

// sampleAll makes every call a record.
func sampleAll(m Mechanism) Settings {
	s := DefaultSettings()
	s.Mechanism = m
	s.SampleEvery = 1
	s.RingBytes = 16 << 20
	return s
}

// Known calls yield exactly those counts, and exactly those arguments, with every mechanism.
func TestExactCountsAndArguments(t *testing.T) {
	for _, m := range mechanisms {
		t.Run(m.String(), func(t *testing.T) {
			requireMechanism(t, m)
			r := startRecorder(t, sampleAll(m))
			tr := r.run("exact.wl")
			require.NotEmpty(t, tr.counts)
			assert.Equal(t, tr.counts, r.counts())
			assertRecords(t, r, tr)
			assertArguments(t, r)
			assertLayers(t, r)
			report := r.session.Report()
			assert.Equal(t, m, report.Attached)
			assert.Zero(t, report.UserReadFaults)
			assert.Zero(t, report.Malformed)
			for kind, dropped := range report.Dropped {
				assert.Zero(t, dropped, "kind %d", kind)
			}
		})
	}
}

// assertRecords: one record per call, as every call is sampled.
func assertRecords(t *testing.T, r *recorder, tr *truth) {
	t.Helper()
	records := make(map[countKey]uint64)
	for _, c := range r.calls {
		records[countKey{c.Task.Thread, probe.Get(c.Probe).Symbol}]++
	}
	assert.Equal(t, tr.counts, records)
}

// arg returns the values of one argument of all records of a symbol, each once.
func (r *recorder) args(symbol, key string) []uint64 {
	seen := make(map[uint64]bool)
	var values []uint64
	for _, c := range r.callsOf(symbol) {
		for _, a := range probe.Get(c.Probe).Args {
			if v := a.Value(&c.Args); a.Key == key && !seen[v] {
				seen[v] = true
				values = append(values, v)
			}
		}
	}
	return values
}

func assertArguments(t *testing.T, r *recorder) {
	t.Helper()
	for _, want := range []struct {
		symbol string
		args   map[string]uint64
	}{
		{"cudaLaunchKernel_ptsz", map[string]uint64{
			"cuda.grid.x": 7, "cuda.grid.y": 5, "cuda.grid.z": 3, "cuda.block.x": 32, "cuda.block.y": 8, "cuda.block.z": 2,
			"cuda.shared_memory.size": 96,
		}},
		{"cuLaunchKernel_ptsz", map[string]uint64{
			"cuda.grid.x": 7, "cuda.grid.y": 5, "cuda.grid.z": 3, "cuda.block.x": 32, "cuda.block.y": 8, "cuda.block.z": 2,
			"cuda.shared_memory.size": 96,
		}},
		{"cudaLaunchKernelExC", map[string]uint64{
			"cuda.grid.x": 8, "cuda.grid.y": 9, "cuda.grid.z": 10, "cuda.block.x": 64, "cuda.block.y": 1, "cuda.block.z": 1,
			"cuda.shared_memory.size": 512,
		}},
		{"cuLaunchKernelEx", map[string]uint64{
			"cuda.grid.x": 8, "cuda.grid.y": 9, "cuda.grid.z": 10, "cuda.shared_memory.size": 512,
		}},
		{"cudaMemcpyAsync", map[string]uint64{"cuda.memcpy.size": 1009, "cuda.memcpy.kind": uint64(probe.MemcpyHostToDevice)}},
		{"cudaMemcpy", map[string]uint64{"cuda.memcpy.size": 2003, "cuda.memcpy.kind": uint64(probe.MemcpyDeviceToHost)}},
	} {
		for key, value := range want.args {
			assert.Equal(t, []uint64{value}, r.args(want.symbol, key), "%s %s", want.symbol, key)
		}
	}
	streams := r.args("cudaStreamSynchronize", "cuda.stream")
	// One GPU stream per thread, or that of one that has ended: a handle may come again.
	assert.GreaterOrEqual(t, len(streams), 2)
	assert.LessOrEqual(t, len(streams), 4)
	assert.Subset(t, streams, r.args("cudaLaunchKernelExC", "cuda.stream"))
	assert.Subset(t, streams, r.args("cuLaunchKernelEx", "cuda.stream"))
}

// assertLayers: driver calls are children, failures and bytes count once.
func assertLayers(t *testing.T, r *recorder) {
	t.Helper()
	byID := make(map[event.Thread]map[uint64]event.Call)
	for _, c := range r.calls {
		if byID[c.Task.Thread] == nil {
			byID[c.Task.Thread] = make(map[uint64]event.Call)
		}
		byID[c.Task.Thread][c.ID] = c
	}
	for _, c := range r.callsOf("cuLaunchKernel_ptsz") {
		parent := byID[c.Task.Thread][c.Parent]
		assert.Equal(t, "cudaLaunchKernel_ptsz", probe.Get(parent.Probe).Symbol)
		assert.LessOrEqual(t, parent.Start, c.Start)
		assert.LessOrEqual(t, c.End, parent.End)
	}
	failed := 0
	for _, c := range r.callsOf("cudaStreamSynchronize") {
		if c.Notable&event.NotableFailed != 0 {
			assert.Equal(t, int32(700), c.Result)
			failed++
		}
	}
	assert.Equal(t, 29, failed)
	errors := make(map[string]uint64)
	for _, e := range r.errors {
		errors[probe.Get(e.Probe).Symbol] += e.Count
	}
	assert.Equal(t, map[string]uint64{"cudaStreamSynchronize": 29, "cuStreamSynchronize": 29}, errors)
	var bytes [probe.MemcpyKinds]uint64
	for _, s := range r.samples {
		for kind, n := range s.Bytes {
			bytes[kind] += n
		}
	}
	assert.Equal(t, uint64(7*1009), bytes[probe.MemcpyHostToDevice])
	assert.Equal(t, uint64(11*2003), bytes[probe.MemcpyDeviceToHost])
	for _, name := range r.names {
		assert.Contains(t, name, "_Z")
	}
	assert.NotEmpty(t, r.names)
}

// The first launch of each function by a process is told, once.
func TestFirstLaunches(t *testing.T) {
	r := startRecorder(t, DefaultSettings())
	r.run("repeat 5 { cudaLaunchKernel func=gemm }\nrepeat 5 { cudaLaunchKernel func=add }\nthread other { cudaLaunchKernel func=add }\njoin\n")
	var first []string
	for _, c := range r.calls {
		if c.Notable&event.NotableFirstLaunch != 0 {
			first = append(first, probe.Get(c.Probe).Symbol)
		}
	}
	assert.Equal(t, []string{"cuLaunchKernel", "cudaLaunchKernel", "cuLaunchKernel", "cudaLaunchKernel"}, first)
}

// Allocations are counted once over both layers, and their release too; those
// with rows by width and height.
func TestAllocatedMemory(t *testing.T) {
	r := startRecorder(t, DefaultSettings())
	cmd := workload(t, "-")
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	_, err = stdin.Write([]byte(`cudaMalloc bytes=1m out=a
cudaMalloc bytes=3m out=b
cuMemAlloc_v2 bytes=5m out=c
cudaMallocPitch width=1000 height=16 out=d
cuMemAllocPitch_v2 width=300 height=7 element=4 out=e
cudaMallocPitch width=1000 height=9 out=f
cudaFree ptr=a
cudaFree ptr=f
sleep 300ms
`))
	require.NoError(t, err)
	require.NoError(t, stdin.Close())
	require.NoError(t, cmd.Start())
	pid := event.PID(cmd.Process.Pid)
	require.Eventually(t, func() bool {
		r.drain()
		r.collect()
		return r.memory[pid] == 8<<20+1000*16+300*7
	}, 5*time.Second, 10*time.Millisecond)
	r.follow(cmd)
}
