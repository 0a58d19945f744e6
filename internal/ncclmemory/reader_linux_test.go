package ncclmemory

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/gpucause/gpucause/internal/event"
)

// This process stands for one with NCCL.
func TestRead(t *testing.T) {
	r, pid := NewReader("/proc"), event.PID(os.Getpid())
	id := make([]byte, 128)
	id[0] = 1
	learn := communicator(0x2b8, triple{hashOf(id), 1, 4})
	other := communicator(0x2b8, triple{4711, 3, 4})
	ask := func(memory []byte) Question {
		return Question{PID: pid, Address: uint64(uintptr(unsafe.Pointer(&memory[0]))), Rank: -1, Size: -1}
	}
	_, err := r.Read(ask(other))
	require.ErrorIs(t, err, ErrUnlearnt)

	q := ask(learn)
	q.Rank, q.Size, q.Identity = 1, 4, id
	answer, err := r.Read(q)
	require.NoError(t, err)
	assert.Equal(t, Answer{Hash: hashOf(id), Rank: 1, Size: 4}, answer)

	answer, err = r.Read(ask(other))
	require.NoError(t, err)
	assert.Equal(t, Answer{Hash: 4711, Rank: 3, Size: 4}, answer)

	_, err = r.Read(ask(make([]byte, 64<<10)))
	require.Error(t, err, "not initialised")
	_, err = r.Read(Question{PID: pid, Address: 1, Rank: -1, Size: -1})
	require.Error(t, err, "not mapped")
}

// Plugins of NCCL are mapped by the same process, and are not NCCL.
func TestPluginsAreNotNCCL(t *testing.T) {
	proc := t.TempDir()
	lib := filepath.Join(proc, "7", "root", "lib")
	require.NoError(t, os.MkdirAll(lib, 0o755))
	var maps strings.Builder
	for n, name := range []string{"python3", "libnccl-net.so", "libnccl-tuner-example.so", "libnccl.so.2.22.3"} {
		require.NoError(t, os.WriteFile(filepath.Join(lib, name), nil, 0o600))
		fmt.Fprintf(&maps, "7f00000%d0000-7f00000%d1000 r-xp 00000000 08:01 %d /lib/%s\n", n, n, n+1, name)
	}
	require.NoError(t, os.WriteFile(filepath.Join(proc, "7", "maps"), []byte(maps.String()), 0o600))
	found, err := NewReader(proc).findLibrary(7)
	require.NoError(t, err)
	var stat unix.Stat_t
	require.NoError(t, unix.Stat(filepath.Join(lib, "libnccl.so.2.22.3"), &stat))
	assert.Equal(t, stat.Ino, found.inode)
}
