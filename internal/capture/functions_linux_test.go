//go:build amd64 || arm64

package capture

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gpucause/gpucause/bpf"
	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/probe"
)

const (
	gemmSymbol = "_Z11gemm_kernelI6__halfLi128ELi128EEvPKT_S3_PS1_iii"
	addSymbol  = "_Z10add_kernelPfPKfS1_m"
)

// A launched function has the name under which the program registered it, and in
// the driver the one by which its handle was obtained. Functions that are never
// launched are not told.
func TestNamesOfLaunchedFunctions(t *testing.T) {
	r := startRecorder(t, sampleAll(MechanismAuto))
	r.run("cudaLaunchKernel func=gemm\ncudaLaunchKernelExC func=add\ncuLaunchKernel f=add\n")
	launched := map[string]map[string]bool{}
	for _, c := range r.calls {
		if row := probe.Get(c.Probe); row.FunctionSlot != probe.NoSlot {
			if launched[row.Symbol] == nil {
				launched[row.Symbol] = map[string]bool{}
			}
			launched[row.Symbol][r.names[c.Args[row.FunctionSlot]]] = true
		}
	}
	assert.Equal(t, map[string]map[string]bool{
		"cudaLaunchKernel":    {gemmSymbol: true},
		"cudaLaunchKernelExC": {addSymbol: true},
		"cuLaunchKernel":      {gemmSymbol: true, addSymbol: true},
		"cuLaunchKernelEx":    {addSymbol: true},
	}, launched)
	for _, name := range r.names {
		assert.Contains(t, []string{gemmSymbol, addSymbol}, name)
	}
}

// A handle that stands for a function that is known by another one says so.
func TestHandlesOfOneFunction(t *testing.T) {
	r := startRecorder(t, sampleAll(MechanismAuto))
	r.run("__cudaGetKernel func=gemm out=k\n__cudaLaunchKernel func=k\n")
	launches := r.callsOf("__cudaLaunchKernel")
	require.Len(t, launches, 1)
	host := r.same[launches[0].Args[0]]
	assert.NotZero(t, host)
	assert.Equal(t, []uint64{host}, r.args("__cudaGetKernel", "cuda.function.handle"))
}

// Launches are counted by launched function, exactly, and nothing is left of a
// thread that ended.
func TestLaunchesByFunction(t *testing.T) {
	settings := DefaultSettings()
	settings.SplitFunctions = true
	r := startRecorder(t, settings)
	tr := r.run(`
repeat 7 { cudaLaunchKernel func=gemm }
thread worker count=2 { repeat 11 { cudaLaunchKernel func=gemm; cudaLaunchKernel func=add }; repeat 5 { cudaStreamSynchronize stream=0x2 } }
join
repeat 13 { cudaLaunchKernel func=add }
`)
	assert.Equal(t, tr.counts, r.counts(), "all functions together")
	type key struct {
		tid      event.TID
		function uint64
	}
	launches := map[key]uint64{}
	for _, s := range r.samples {
		row := probe.Get(s.Probe)
		assert.Equal(t, strings.Contains(row.Symbol, "Launch"), s.Function != 0, row.Symbol)
		if row.Symbol == "cudaLaunchKernel" {
			launches[key{s.Task.Thread.TID, s.Function}] += s.Durations.Count()
		}
	}
	var counts []uint64
	for _, n := range launches {
		counts = append(counts, n)
	}
	assert.ElementsMatch(t, []uint64{7, 13, 11, 11, 11, 11}, counts)
	var slot bpf.GpucauseFunctionSlotKey
	require.ErrorIs(t, r.session.objects.FunctionSlots.NextKey(nil, &slot), ebpf.ErrKeyNotExist, "entries are left of threads that ended")
}

// More launched functions than there is room for count without them, and none is lost.
func TestLaunchesByMoreFunctionsThanThereIsRoomFor(t *testing.T) {
	settings := DefaultSettings()
	settings.SplitFunctions, settings.MaxSeries = true, 3
	r := startRecorder(t, settings)
	tr := r.run("repeat 7 { cuLaunchKernel f=gemm; cuLaunchKernel f=add; cuLaunchKernel f=silu; cuLaunchKernel f=rope; cuLaunchKernel f=cache }\n")
	want, got := uint64(0), uint64(0)
	for key, n := range tr.counts {
		if key.symbol == "cuLaunchKernel" {
			want += n
		}
	}
	for _, s := range r.samples {
		if probe.Get(s.Probe).Symbol == "cuLaunchKernel" {
			got += s.Durations.Count()
		}
	}
	assert.Equal(t, want, got)
	assert.NotZero(t, r.session.Report().MapFull["series"])
}

// What a process's program was before it executed another is forgotten: a first
// launch is one again.
func TestFirstLaunchAfterExec(t *testing.T) {
	r := startRecorder(t, DefaultSettings())
	after := filepath.Join(t.TempDir(), "after.wl")
	require.NoError(t, os.WriteFile(after, []byte("cuLaunchKernel f=gemm\ncuLaunchKernel f=gemm\n"), 0o600))
	r.run("cuLaunchKernel f=gemm\nexec self " + after + "\n")
	first := 0
	for _, c := range r.calls {
		if c.Notable&event.NotableFirstLaunch != 0 {
			first++
		}
	}
	assert.Equal(t, 2, first)
}
