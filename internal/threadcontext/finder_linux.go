package threadcontext

import (
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/probesite"
	"github.com/gpucause/gpucause/internal/target"
)

// variable is the name of the thread-local variable that points to the thread's context.
const variable = "otel_thread_ctx_v1"

const (
	// maxFiles bounds the remembered files; beyond it all are forgotten.
	maxFiles = 16384
	// maxRead bounds what is read of files to find the variable of one process.
	maxRead = 256 << 20
)

// Finder finds where processes keep their thread contexts. It remembers files,
// because ranks are many processes of one program. It is safe for concurrent use.
type Finder struct {
	procRoot string
	mu       sync.Mutex
	files    map[file]*probesite.ThreadLocal // nil: the file does not define the variable
}

// file is a file for as long as it is not written to.
type file struct {
	device, inode uint64
	modified      unix.Timespec
}

// NewFinder returns a Finder of the processes below procRoot, where proc is mounted.
func NewFinder(procRoot string) *Finder {
	return &Finder{procRoot: procRoot, files: make(map[file]*probesite.ThreadLocal)}
}

// Find returns where the threads of a process keep the pointer to their contexts;
// the zero place where they have none. With an error it is not known.
func (f *Finder) Find(pid event.PID) (Place, error) {
	place, err := f.find(pid)
	if err != nil {
		return Place{}, fmt.Errorf("finding thread contexts of process %d: %w", pid, err)
	}
	return place, nil
}

func (f *Finder) find(pid event.PID) (Place, error) {
	files, err := target.Executables(f.procRoot, pid)
	if err != nil {
		return Place{}, err
	}
	entry, err := entryPoint(f.procRoot, pid)
	if err != nil {
		return Place{}, err
	}
	r := &resolver{read: wordsOf(pid), glibc: slices.ContainsFunc(files, isGlibc)}
	budget := int64(maxRead)
	for i := range files {
		d, err := f.examine(&files[i], &budget)
		switch {
		case errors.Is(err, errBudget):
			return Place{}, err
		case err != nil || d == nil: // what cannot be read defines nothing, for all that is known
			continue
		}
		d.main = files[i].Start <= entry && entry < files[i].End
		r.add(d)
	}
	return r.result()
}

// wordsOf returns a function that reads words of a process's memory.
func wordsOf(pid event.PID) func(address uint64, words []uint64) error {
	return func(address uint64, words []uint64) error {
		raw := make([]byte, 8*len(words))
		if err := target.ReadMemory(pid, address, raw); err != nil {
			return err
		}
		for i := range words {
			words[i] = binary.NativeEndian.Uint64(raw[8*i:])
		}
		return nil
	}
}

// isGlibc reports whether a file is glibc, by its name.
func isGlibc(file target.Executable) bool {
	name := filepath.Base(file.Path)
	return name == "libc.so.6" || strings.HasPrefix(name, "libc-2.")
}

// examine returns the variable of a mapped file, nil where it does not define it.
func (f *Finder) examine(mapped *target.Executable, budget *int64) (*definition, error) {
	located, err := mapped.Open(f.procRoot)
	if err != nil {
		return nil, err
	}
	defer located.Handle.Close()
	var stat unix.Stat_t
	if err := unix.Fstat(int(located.Handle.Fd()), &stat); err != nil {
		return nil, fmt.Errorf("looking at file: %w", err)
	}
	key := file{device: uint64(stat.Dev), inode: stat.Ino, modified: stat.Mtim}
	if local, known := f.remembered(key); known && local == nil {
		return nil, nil
	}
	headers, err := probesite.Open(&meter{of: located.Handle, left: budget}, located.Size)
	if err != nil {
		return nil, f.discard(key, err)
	}
	local, err := f.threadLocal(key, headers)
	base, loaded := headers.LoadedAt(mapped.Start, mapped.Offset)
	if err != nil || local == nil || !loaded {
		return nil, err
	}
	return &definition{local: local, base: base}, nil
}

// threadLocal returns the variable of a file, from memory if it has been read.
func (f *Finder) threadLocal(key file, headers *probesite.File) (*probesite.ThreadLocal, error) {
	if local, known := f.remembered(key); known {
		return local, nil
	}
	local, err := headers.ThreadLocal(variable)
	if err != nil {
		return nil, f.discard(key, err)
	}
	f.remember(key, local)
	return local, nil
}

// discard remembers that a file does not define the variable, if that is what an
// error says, and returns the error otherwise.
func (f *Finder) discard(key file, err error) error {
	for _, final := range []error{probesite.ErrNoSymbol, probesite.ErrNotCUDA, probesite.ErrMalformed} {
		if errors.Is(err, final) {
			f.remember(key, nil)
			return nil
		}
	}
	return err
}

func (f *Finder) remembered(key file) (*probesite.ThreadLocal, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	local, known := f.files[key]
	return local, known
}

func (f *Finder) remember(key file, local *probesite.ThreadLocal) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.files) >= maxFiles {
		clear(f.files)
	}
	f.files[key] = local
}
