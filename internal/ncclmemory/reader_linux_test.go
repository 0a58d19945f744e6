package ncclmemory

import (
	"os"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

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
