package ncclmemory

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/target"
)

// maxLayouts bounds the remembered layouts; beyond it all are forgotten.
const maxLayouts = 256

// ErrUnlearnt says that it is not known, or not certain, where this version of
// NCCL keeps rank and size.
var ErrUnlearnt = errors.New("the layout of this version of NCCL is not known yet")

// Question is a communicator to read.
type Question struct {
	PID     event.PID
	Address uint64 // ncclComm_t
	// Rank and Size are what is known already, to learn from; negative if not known.
	Rank, Size int
	Identity   []byte // the unique id that it was made from, if any
}

// Answer is what the memory says.
type Answer struct {
	Hash       uint64
	Rank, Size int
}

// Reader reads communicators. It is safe for concurrent use.
type Reader struct {
	procRoot string
	mu       sync.Mutex
	layouts  map[library]*layout
}

// library is the file that NCCL is in.
type library struct {
	device, inode uint64
	modified      unix.Timespec
}

// NewReader returns a Reader of the processes below procRoot, where proc is mounted.
func NewReader(procRoot string) *Reader {
	return &Reader{procRoot: procRoot, layouts: make(map[library]*layout)}
}

// Read reads a communicator, and learns from it where its rank and size are
// known. What it returns was where this version of NCCL keeps it, for certain;
// otherwise it is an ErrUnlearnt.
func (r *Reader) Read(q Question) (Answer, error) {
	lib, err := r.findLibrary(q.PID)
	if err != nil {
		return Answer{}, fmt.Errorf("finding NCCL of process %d: %w", q.PID, err)
	}
	memory, err := readMemory(q.PID, q.Address)
	if err != nil {
		return Answer{}, fmt.Errorf("reading communicator of process %d: %w", q.PID, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.layout(lib)
	if q.Rank >= 0 && q.Size >= 0 {
		l.learn(memory, known{rank: q.Rank, size: q.Size, hash: identityHash(q.Identity)})
	}
	at, ok := l.place()
	if !ok {
		return Answer{}, ErrUnlearnt
	}
	t, ok := tripleAt(memory, at)
	if !ok {
		return Answer{}, fmt.Errorf("reading communicator of process %d: it is not initialised", q.PID)
	}
	return Answer{Hash: t.hash, Rank: t.rank, Size: t.size}, nil
}

func identityHash(id []byte) uint64 {
	if len(id) == 0 {
		return 0
	}
	return hashOf(id)
}

func (r *Reader) layout(lib library) *layout {
	if l := r.layouts[lib]; l != nil {
		return l
	}
	if len(r.layouts) >= maxLayouts {
		clear(r.layouts)
	}
	l := &layout{}
	r.layouts[lib] = l
	return l
}

// carriers begin the names of the files that NCCL is in, but not of its plugins
// (libnccl-net.so); the program itself comes last.
var carriers = []string{"libnccl.so", "libtorch_cuda", ""}

// findLibrary finds the file that NCCL is in, as far as names tell. A mistake makes
// the layouts of two versions one, which then agree on no place.
func (r *Reader) findLibrary(pid event.PID) (library, error) {
	for _, prefix := range carriers {
		path, err := target.FindMapped(r.procRoot, pid, func(path string) bool {
			return strings.HasPrefix(filepath.Base(path), prefix)
		})
		if errors.Is(err, target.ErrUnmapped) {
			continue
		}
		if err != nil {
			return library{}, err
		}
		var stat unix.Stat_t
		if err := unix.Stat(filepath.Join(r.procRoot, strconv.Itoa(int(pid)), "root", path), &stat); err != nil {
			return library{}, err
		}
		return library{device: uint64(stat.Dev), inode: stat.Ino, modified: stat.Mtim}, nil
	}
	return library{}, target.ErrUnmapped
}

// readMemory reads as much of the window as is mapped.
func readMemory(pid event.PID, address uint64) ([]byte, error) {
	memory := make([]byte, window)
	local := []unix.Iovec{{Base: &memory[0], Len: window}}
	// In pieces of a page, so that what is mapped is read up to the first hole.
	const page = 4096
	var remote []unix.RemoteIovec
	for at, end := address, address+window; at < end; {
		next := min((at/page+1)*page, end)
		remote = append(remote, unix.RemoteIovec{Base: uintptr(at), Len: int(next - at)})
		at = next
	}
	n, err := unix.ProcessVMReadv(int(pid), local, remote, 0)
	if err != nil {
		return nil, err
	}
	return memory[:n], nil
}
