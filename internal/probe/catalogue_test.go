package probe

import (
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCatalogueIsNumberedAndBounded(t *testing.T) {
	all := All()
	require.Less(t, len(all), MaxProbes)
	layers := map[Layer]int{}
	for _, p := range all {
		layers[p.Layer]++
	}
	for layer, functions := range layers {
		require.LessOrEqual(t, functions, 100, "%s: each attached function costs every process that maps the library", layer)
	}
	seen := map[string]bool{}
	for i, p := range all {
		require.Equal(t, ID(i+1), p.ID)
		require.False(t, seen[p.Symbol], "%s is there twice", p.Symbol)
		seen[p.Symbol] = true
		require.Equal(t, p, *Get(p.ID))
		found, ok := Find(p.Symbol)
		require.True(t, ok)
		require.Equal(t, p, found)
	}
	assert.Nil(t, Get(0))
	assert.Nil(t, Get(ID(len(all)+1)))
	_, ok := Find("cudaNoSuchFunction")
	assert.False(t, ok)
}

func TestCatalogueBelongsToItsCaller(t *testing.T) {
	All()[0].Symbol = "changed"
	assert.NotEqual(t, "changed", Get(1).Symbol)
}

func TestRowsAreConsistent(t *testing.T) {
	for _, p := range All() {
		t.Run(p.Symbol, func(t *testing.T) {
			assert.NotEqual(t, ClassUnspecified, p.Class)
			assert.Equal(t, strings.HasPrefix(p.Symbol, "cuda") || strings.HasPrefix(p.Symbol, "__cuda"), p.Layer == LayerRuntime)
			assert.Equal(t, strings.HasPrefix(p.Symbol, "nccl"), p.Layer == LayerNCCL)
			assert.NotRegexp(t, `_ptsz$|_ptds$|_v[0-9]+$`, p.Function)
			assert.True(t, strings.HasPrefix(p.Symbol, p.Function))
			assert.LessOrEqual(t, int(p.Slots), MaxSlots)
			for _, slot := range p.references() {
				if slot == NoSlot || p.derefs(slot) {
					continue
				}
				assert.Less(t, slot, p.Slots)
			}
			assert.Equal(t, p.DerefSlot != NoSlot, p.DerefWords > 0)
			assert.LessOrEqual(t, FirstDerefSlot+int(p.DerefWords), MaxSlots)
			if p.DerefWords > 0 {
				assert.LessOrEqual(t, p.Slots, uint8(FirstDerefSlot), "words would overwrite arguments")
			}
			if p.CountsBytes || p.AllocatesSlot != NoSlot {
				assert.NotEqual(t, uint8(NoSlot), p.SizeSlot)
			}
			assert.Equal(t, p.NameSlot != NoSlot, p.NameOutSlot != NoSlot && p.SameSlot == NoSlot || p.RegistersSlot != NoSlot, "a name is of one handle")
			assert.False(t, p.SameSlot != NoSlot && p.NameOutSlot == NoSlot, "another handle is stored somewhere")
			keys := map[string]bool{}
			for _, arg := range p.Args {
				assert.Contains(t, []uint8{32, 64}, arg.Bits)
				assert.LessOrEqual(t, arg.Shift+arg.Bits, uint8(64))
				assert.False(t, keys[arg.Key], "%s is shown twice", arg.Key)
				keys[arg.Key] = true
			}
		})
	}
}

func TestPerThreadVariantsHaveTheSameLayout(t *testing.T) {
	variants := 0
	for _, p := range All() {
		base := strings.TrimSuffix(strings.TrimSuffix(p.Symbol, "_ptsz"), "_ptds")
		if base == p.Symbol {
			continue
		}
		variants++
		same, ok := Find(base)
		require.True(t, ok, base)
		assert.False(t, same.PerThread)
		assert.True(t, p.PerThread)
		same.ID, same.Symbol, same.PerThread = p.ID, p.Symbol, true
		assert.True(t, reflect.DeepEqual(same, p), p.Symbol)
	}
	assert.Greater(t, variants, 30)
}

// TestPrototypes repeats, independently of the catalogue's options, where the
// headers put the arguments of the most important functions.
func TestPrototypes(t *testing.T) {
	type at struct {
		slot, shift, bits uint8
	}
	word := func(slot uint8) at { return at{slot, 0, 64} }
	half := func(slot, shift uint8) at { return at{slot, shift, 32} }
	byValue := map[string]at{
		"cuda.function.handle": word(0),
		"cuda.grid.x":          half(1, 0), "cuda.grid.y": half(1, 32), "cuda.grid.z": half(2, 0),
		"cuda.block.x": half(3, 0), "cuda.block.y": half(3, 32), "cuda.block.z": half(4, 0),
		"cuda.shared_memory.size": word(6), "cuda.stream": word(7),
	}
	config := func(sharedMemory at) map[string]at {
		return map[string]at{
			"cuda.function.handle": word(1),
			"cuda.grid.x":          half(6, 0), "cuda.grid.y": half(6, 32), "cuda.grid.z": half(7, 0),
			"cuda.block.x": half(7, 32), "cuda.block.y": half(8, 0), "cuda.block.z": half(8, 32),
			"cuda.shared_memory.size": sharedMemory, "cuda.stream": word(10),
		}
	}
	tests := map[string]struct {
		slots uint8
		args  map[string]at
	}{
		"cudaLaunchKernel":    {8, byValue},
		"__cudaLaunchKernel":  {8, byValue},
		"cudaLaunchKernelExC": {2, config(word(9))},
		"cuLaunchKernelEx":    {2, config(half(9, 0))},
		"cuLaunchKernel": {9, map[string]at{
			"cuda.function.handle": word(0),
			"cuda.grid.x":          half(1, 0), "cuda.grid.y": half(2, 0), "cuda.grid.z": half(3, 0),
			"cuda.block.x": half(4, 0), "cuda.block.y": half(5, 0), "cuda.block.z": half(6, 0),
			"cuda.shared_memory.size": half(7, 0), "cuda.stream": word(8),
		}},
		"cudaGraphLaunch":       {2, map[string]at{"cuda.graph_exec": word(0), "cuda.stream": word(1)}},
		"cudaStreamSynchronize": {1, map[string]at{"cuda.stream": word(0)}},
		"cudaDeviceSynchronize": {0, map[string]at{}},
		"cudaEventRecord":       {2, map[string]at{"cuda.event": word(0), "cuda.stream": word(1)}},
		"cudaMemcpyAsync": {5, map[string]at{
			"cuda.memcpy.size": word(2), "cuda.memcpy.kind": half(3, 0), "cuda.stream": word(4),
		}},
		"cudaMemcpy2DAsync": {8, map[string]at{
			"cuda.memcpy.width": word(4), "cuda.memcpy.height": word(5),
			"cuda.memcpy.kind": half(6, 0), "cuda.stream": word(7),
		}},
		"cudaMemcpyPeerAsync":  {6, map[string]at{"cuda.memcpy.size": word(4), "cuda.stream": word(5)}},
		"cuMemcpyHtoDAsync_v2": {4, map[string]at{"cuda.memcpy.size": word(2), "cuda.stream": word(3)}},
		"cudaMallocAsync":      {3, map[string]at{"cuda.memory.size": word(1), "cuda.stream": word(2)}},
		"cuMemFree_v2":         {1, map[string]at{"cuda.memory.address": word(0)}},
		"cudaSetDevice":        {1, map[string]at{"cuda.device.index": half(0, 0)}},
		"cuModuleGetFunction":  {3, map[string]at{}},
	}
	for symbol, want := range tests {
		t.Run(symbol, func(t *testing.T) {
			p, ok := Find(symbol)
			require.True(t, ok)
			assert.Equal(t, want.slots, p.Slots)
			got := map[string]at{}
			for _, arg := range p.Args {
				got[arg.Key] = at{arg.Slot, arg.Shift, arg.Bits}
			}
			assert.Equal(t, want.args, got)
		})
	}
}

func TestRoles(t *testing.T) {
	find := func(symbol string) Probe {
		p, ok := Find(symbol)
		require.True(t, ok, symbol)
		return p
	}
	assert.EqualValues(t, 0, find("cudaMalloc").AllocatesSlot)
	assert.EqualValues(t, 1, find("cudaMalloc").SizeSlot)
	assert.EqualValues(t, 0, find("cudaFree").FreesSlot)
	assert.EqualValues(t, NoSlot, find("cudaMallocHost").AllocatesSlot)
	assert.EqualValues(t, NoSlot, find("cudaFreeHost").FreesSlot)
	assert.EqualValues(t, 2, find("cudaMallocPitch").SizeSlot)
	assert.EqualValues(t, 3, find("cudaMallocPitch").SizeSlot2)
	assert.EqualValues(t, 5, find("cudaMemcpy2D").SizeSlot2)
	assert.EqualValues(t, 3, find("cudaMemcpy").KindSlot)
	assert.Equal(t, MemcpyDeviceToHost, find("cuMemcpyDtoHAsync_v2").Kind)
	assert.False(t, find("cudaMemset").CountsBytes)
	assert.EqualValues(t, 600, find("cuStreamQuery").Benign)
	assert.EqualValues(t, 2, find("cuLibraryGetKernel").NameSlot)
	assert.EqualValues(t, 0, find("cuLibraryGetKernel").NameOutSlot)
	assert.Equal(t, "cuMemcpyHtoDAsync", find("cuMemcpyHtoDAsync_v2_ptsz").Function)
	assert.EqualValues(t, NoSlot, find("cuStreamSynchronize").KindSlot)
}

func TestArgValue(t *testing.T) {
	slots := [MaxSlots]uint64{0: 0x1122334455667788, 11: ^uint64(0)}
	assert.EqualValues(t, 0x55667788, Arg{Bits: 32}.Value(&slots))
	assert.EqualValues(t, 0x11223344, Arg{Bits: 32, Shift: 32}.Value(&slots))
	assert.EqualValues(t, 0x1122334455667788, Arg{Bits: 64}.Value(&slots))
	assert.Equal(t, ^uint64(0), Arg{Slot: 11, Bits: 64}.Value(&slots))
	assert.Zero(t, Arg{Slot: NoSlot, Bits: 64}.Value(&slots))
}

func TestNames(t *testing.T) {
	assert.Equal(t, "module_load", ClassModuleLoad.String())
	assert.Equal(t, "unspecified", Class(200).String())
	assert.Equal(t, "runtime", LayerRuntime.String())
	assert.Equal(t, "driver", LayerDriver.String())
	assert.Equal(t, "unspecified", LayerUnspecified.String())
	assert.Equal(t, "device_to_host", MemcpyDeviceToHost.String())
	assert.Equal(t, "unknown", MemcpyKind(99).String())
	assert.Equal(t, "cudaErrorInvalidValue", ResultName(LayerRuntime, 1))
	assert.Equal(t, "CUDA_ERROR_OUT_OF_MEMORY", ResultName(LayerDriver, 2))
	assert.Equal(t, "cudaError(1234)", ResultName(LayerRuntime, 1234))
	assert.Equal(t, "CUresult(-1)", ResultName(LayerDriver, -1))
}
