package hoststub

import (
	"bytes"
	"debug/elf"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/probesite"
	"github.com/gpucause/gpucause/internal/probesite/elffixture"
	"github.com/gpucause/gpucause/internal/target"
)

// mapFile maps a library of two functions into this process, and returns the
// address of each by the first byte of its code.
func mapFile(t *testing.T, path string) func(code byte) uint64 {
	t.Helper()
	machines := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}
	raw := elffixture.Image{Machine: machines[runtime.GOARCH], Local: []elffixture.Symbol{
		elffixture.Function("_Z4gemmPf", 0xf4, 0x90),
		elffixture.Function("__device_stub__Z4siluPf", 0xf5, 0x90),
		{Name: "data", Code: []byte{0xf6}, Type: elf.STT_OBJECT},
	}}.Bytes()
	require.NoError(t, os.WriteFile(path, raw, 0o600))
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	memory, err := unix.Mmap(int(file.Fd()), 0, len(raw), unix.PROT_READ, unix.MAP_PRIVATE)
	require.NoError(t, err)
	t.Cleanup(func() { _ = unix.Munmap(memory) })
	return func(code byte) uint64 {
		return uint64(uintptr(unsafe.Pointer(&memory[bytes.IndexByte(memory, code)])))
	}
}

func TestNames(t *testing.T) {
	n, pid := NewNamer("/proc"), event.PID(os.Getpid())
	address := mapFile(t, filepath.Join(t.TempDir(), "library.so"))
	for range 2 { // read, and remembered
		for code, want := range map[byte]string{0xf4: "_Z4gemmPf", 0xf5: "_Z4siluPf"} {
			name, err := n.Name(pid, address(code))
			require.NoError(t, err)
			assert.Equal(t, want, name)
		}
	}
	assert.Len(t, n.names, 2)
}

func TestAddressesWithoutAName(t *testing.T) {
	n, pid := NewNamer("/proc"), event.PID(os.Getpid())
	_, err := n.Name(pid, 1)
	require.ErrorIs(t, err, target.ErrUnmapped)
	_, err = n.Name(pid, uint64(uintptr(unsafe.Pointer(new([64]byte)))))
	require.Error(t, err, "no file")
	address := mapFile(t, filepath.Join(t.TempDir(), "library.so"))
	_, err = n.Name(pid, address(0xf6))
	require.ErrorIs(t, err, probesite.ErrNoSymbol)
	assert.Empty(t, n.names)
}
