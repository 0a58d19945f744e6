package probesite

import (
	"bytes"
	"debug/elf"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gpucause/gpucause/internal/probe"
	"github.com/gpucause/gpucause/internal/probesite/elffixture"
)

func image(symbols ...elffixture.Symbol) elffixture.Image {
	return elffixture.Image{Machine: elf.EM_X86_64, Dynamic: symbols}
}

// sitesOf finds the catalogue's functions in an amd64 file.
func sitesOf(file []byte) (*Selection, error) {
	f, err := openFor(bytes.NewReader(file), int64(len(file)), "amd64")
	if err != nil {
		return nil, err
	}
	return f.Sites(probe.All(), Options{})
}

var (
	launch = elffixture.Function("cudaLaunchKernel", 0x55, 0xc3)
	sync   = elffixture.Function("cudaStreamSynchronize", 0xf3, 0x0f, 0x1e, 0xfa, 0x55, 0xc3)
)

func TestSites(t *testing.T) {
	file := image(
		elffixture.Function("unrelated", 0xc3),
		sync,
		launch,
		elffixture.Symbol{Name: "cudaLaunchKernel_ptsz", Alias: "cudaLaunchKernel", Type: elf.STT_FUNC},
		elffixture.Symbol{Name: "cudaMalloc", Type: elf.STT_FUNC},                        // undefined
		elffixture.Symbol{Name: "cudaFree", Code: []byte{0x55}, Type: elf.STT_GNU_IFUNC}, // resolved at run time
		elffixture.Symbol{Name: "cudaMemset", Code: []byte{0x55}, Type: elf.STT_OBJECT},
		elffixture.Function("cudaMemcpy", 0x06), // no instruction
		elffixture.Symbol{Name: "__cudaLaunchKernel", Code: []byte{0x90}, Type: elf.STT_FUNC, NoSize: true},
	).Bytes()
	s, err := sitesOf(file)
	require.NoError(t, err)

	var symbols []string
	for _, found := range s.Found {
		symbols = append(symbols, found.Probe.Symbol)
		assert.Equal(t, found.Address-elffixture.Base+found.Site.Offset, found.FileOffset)
		assert.Equal(t, KindEmulated, found.Site.Kind)
	}
	assert.Equal(t, []string{"cudaLaunchKernel", "__cudaLaunchKernel", "cudaStreamSynchronize"}, symbols)
	assert.Equal(t, []string{"cudaLaunchKernel_ptsz"}, s.Found[0].Aliases)
	assert.EqualValues(t, 4, s.Found[2].Site.Offset)
	assert.Equal(t, byte(0x55), file[s.Found[2].FileOffset])

	require.Len(t, s.Refused, 1)
	assert.Equal(t, "cudaMemcpy", s.Refused[0].Probe.Symbol)
	assert.ErrorIs(t, s.Refused[0].Err, ErrNoInstruction)

	assert.Contains(t, s.Missing, "cudaMalloc")
	assert.Contains(t, s.Missing, "cudaFree")
	assert.NotContains(t, s.Missing, "cudaLaunchKernel_ptsz")
	assert.NotContains(t, s.Missing, "cuLaunchKernel", "of another layer")
}

func TestStaticRuntime(t *testing.T) {
	local := elffixture.Image{Machine: elf.EM_X86_64, Dynamic: []elffixture.Symbol{}, Local: []elffixture.Symbol{launch, sync}}
	_, err := sitesOf(local.Bytes())
	require.ErrorIs(t, err, ErrNotCUDA, "local symbols of an ordinary shared object")

	withDeviceCode := local
	withDeviceCode.Sections = []string{".nv_fatbin"}
	executable := local
	executable.Kind = elf.ET_EXEC
	for _, image := range []elffixture.Image{withDeviceCode, executable} {
		s, err := sitesOf(image.Bytes())
		require.NoError(t, err)
		assert.Len(t, s.Found, 2)
	}

	both := executable
	both.Dynamic = []elffixture.Symbol{launch}
	both.Local = []elffixture.Symbol{{Name: launch.Name, Alias: launch.Name, Type: elf.STT_FUNC}, sync}
	s, err := sitesOf(both.Bytes())
	require.NoError(t, err)
	require.Len(t, s.Found, 2, "a function in both tables is one function")
	assert.Empty(t, s.Found[0].Aliases)
}

func TestFilesThatAreNotCUDA(t *testing.T) {
	tests := map[string][]byte{
		"empty":         nil,
		"text":          []byte(strings.Repeat("cudaLaunchKernel\n", 20)),
		"one function":  image(launch).Bytes(),
		"only imports":  image(elffixture.Symbol{Name: "cudaLaunchKernel", Type: elf.STT_FUNC}, elffixture.Symbol{Name: "cudaMalloc", Type: elf.STT_FUNC}).Bytes(),
		"32 bits":       elffixture.Image{Machine: elf.EM_X86_64, Class: elf.ELFCLASS32, Dynamic: []elffixture.Symbol{launch, sync}}.Bytes(),
		"other machine": elffixture.Image{Machine: elf.EM_AARCH64, Dynamic: []elffixture.Symbol{launch, sync}}.Bytes(),
		"object file":   elffixture.Image{Machine: elf.EM_X86_64, Kind: elf.ET_REL, Dynamic: []elffixture.Symbol{launch, sync}}.Bytes(),
		"similar names": image(elffixture.Function("cudaLaunchKernel2", 0x55), elffixture.Function("cudaLaunchKerne", 0x55), elffixture.Function("xcudaMallo", 0x55)).Bytes(),
	}
	for name, file := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := sitesOf(file)
			assert.ErrorIs(t, err, ErrNotCUDA)
		})
	}
}

// A file of an arm64 machine is read as arm64 code, on that machine alone.
func TestSitesARM64(t *testing.T) {
	file := elffixture.Image{Machine: elf.EM_AARCH64, Dynamic: []elffixture.Symbol{
		elffixture.Function("cudaLaunchKernel", words(armBTIc, armADRPx16)...),
		elffixture.Function("cudaStreamSynchronize", words(armSTP, armADRPx16)...),
	}}.Bytes()
	_, err := openFor(bytes.NewReader(file), int64(len(file)), "amd64")
	require.ErrorIs(t, err, ErrNotCUDA)

	f, err := openFor(bytes.NewReader(file), int64(len(file)), "arm64")
	require.NoError(t, err)
	s, err := f.Sites(probe.All(), Options{})
	require.NoError(t, err)
	require.Len(t, s.Found, 1)
	assert.Equal(t, "cudaLaunchKernel", s.Found[0].Probe.Symbol)
	assert.EqualValues(t, 4, s.Found[0].Site.Offset)
	require.Len(t, s.Refused, 1)
	assert.ErrorIs(t, s.Refused[0].Err, ErrSingleStepRefused)
}

func TestSymbolsAcrossChunks(t *testing.T) {
	// Long names push each wanted one across the end of a chunk in some layout.
	for shift := range 24 {
		file := image(
			elffixture.Function(strings.Repeat("x", readChunk-shift-2), 0xc3),
			launch,
			elffixture.Symbol{Name: "__cudaLaunchKernel", Code: []byte{0x90}, Type: elf.STT_FUNC},
		).Bytes()
		s, err := sitesOf(file)
		require.NoError(t, err, shift)
		assert.Len(t, s.Found, 2, shift)
	}
}

func TestTruncatedFiles(t *testing.T) {
	whole := image(launch, sync).Bytes()
	for size := range whole {
		_, err := sitesOf(whole[:size])
		require.Error(t, err, size)
		require.True(t, errors.Is(err, ErrMalformed) || errors.Is(err, ErrNotCUDA), "%d: %v", size, err)
	}
}

func TestTestBinaryIsRejected(t *testing.T) {
	path, err := os.Executable()
	require.NoError(t, err)
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	info, err := file.Stat()
	require.NoError(t, err)
	f, err := Open(file, info.Size())
	if errors.Is(err, ErrNotCUDA) {
		return // not Linux
	}
	require.NoError(t, err)
	_, err = f.Sites(probe.All(), Options{})
	assert.ErrorIs(t, err, ErrNotCUDA)
}

func FuzzFile(f *testing.F) {
	f.Add(image(launch, sync).Bytes())
	f.Add(elffixture.Image{
		Machine: elf.EM_X86_64, Kind: elf.ET_EXEC, Sections: []string{".nv_fatbin"},
		Dynamic: []elffixture.Symbol{launch}, Local: []elffixture.Symbol{sync, launch},
	}.Bytes())
	f.Fuzz(func(t *testing.T, file []byte) {
		if elf, err := openFor(bytes.NewReader(file), int64(len(file)), "amd64"); err == nil {
			_, _ = elf.FunctionAt(uint64(len(file) / 2))
		}
		s, err := sitesOf(file)
		if err != nil {
			return
		}
		for _, found := range s.Found {
			if found.FileOffset >= uint64(len(file)) {
				t.Fatalf("%s at %d of %d bytes", found.Probe.Symbol, found.FileOffset, len(file))
			}
		}
	})
}

func BenchmarkReject(b *testing.B) {
	symbols := make([]elffixture.Symbol, 4000)
	for i := range symbols {
		symbols[i] = elffixture.Function("_ZN7example9recursive8functionEv"+strings.Repeat("x", i%40), 0xc3)
	}
	file := image(symbols...).Bytes()
	probes := probe.All()
	b.SetBytes(int64(len(file)))
	for b.Loop() {
		f, err := openFor(bytes.NewReader(file), int64(len(file)), "amd64")
		require.NoError(b, err)
		_, err = f.Sites(probes, Options{})
		require.ErrorIs(b, err, ErrNotCUDA)
	}
}
