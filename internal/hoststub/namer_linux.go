package hoststub

import (
	"fmt"
	"os"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/probesite"
	"github.com/gpucause/gpucause/internal/target"
)

// maxNames bounds the remembered names; beyond it all are forgotten.
const maxNames = 16384

// Namer names host functions. It remembers the names by file, because ranks are
// many processes of one program. It is safe for concurrent use.
type Namer struct {
	procRoot string
	mu       sync.Mutex
	names    map[place]string
}

// place is a byte of a file, for as long as the file is not written to.
type place struct {
	device, inode uint64
	modified      unix.Timespec
	offset        uint64
}

// NewNamer returns a Namer of the processes below procRoot, where proc is mounted.
func NewNamer(procRoot string) *Namer {
	return &Namer{procRoot: procRoot, names: make(map[place]string)}
}

// Name returns the symbol of the host function at an address of a process, as
// the compiler mangled it. It reads as much of the file as its symbol table is long.
func (n *Namer) Name(pid event.PID, address uint64) (string, error) {
	located, err := target.Locate(n.procRoot, pid, address)
	if err != nil {
		return "", err
	}
	defer located.Handle.Close()
	at, err := placeOf(located)
	if err != nil {
		return "", err
	}
	if name, known := n.remembered(at); known {
		return name, nil
	}
	name, err := symbolAt(located)
	if err != nil {
		return "", fmt.Errorf("naming function at %#x of process %d: %w", address, pid, err)
	}
	n.remember(at, name)
	return name, nil
}

func (n *Namer) remembered(at place) (string, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	name, known := n.names[at]
	return name, known
}

func (n *Namer) remember(at place, name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.names) >= maxNames {
		clear(n.names)
	}
	n.names[at] = name
}

func placeOf(located *target.Located) (place, error) {
	stat, err := statOf(located.Handle)
	if err != nil {
		return place{}, fmt.Errorf("looking at file: %w", err)
	}
	return place{device: uint64(stat.Dev), inode: stat.Ino, modified: stat.Mtim, offset: located.Offset}, nil
}

func statOf(file *os.File) (unix.Stat_t, error) {
	var stat unix.Stat_t
	err := unix.Fstat(int(file.Fd()), &stat)
	return stat, err
}

func symbolAt(located *target.Located) (string, error) {
	file, err := probesite.Open(located.Handle, located.Size)
	if err != nil {
		return "", err
	}
	symbol, err := file.FunctionAt(located.Offset)
	return strings.TrimPrefix(symbol, "__device_stub_"), err
}
