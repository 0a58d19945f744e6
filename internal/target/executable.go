package target

import (
	"errors"
	"fmt"

	"github.com/gpucause/gpucause/internal/event"
)

// maxExecutables bounds the files of one process; a large Python program has hundreds.
const maxExecutables = 4096

// Executable is a file that a process executes from, by one of its executable mappings.
type Executable struct {
	Mapping
	Path string // as the process sees it
}

// Executables lists the files that a process executes from, each once, in the
// order of their addresses, at most 4096.
func Executables(procRoot string, pid event.PID) ([]Executable, error) {
	var files []Executable
	type file struct {
		inode uint64
		path  string
	}
	seen := make(map[file]bool)
	_, err := firstLine(procRoot, pid, func(line *mapsLine) bool {
		if key := (file{line.inode, line.path}); line.executable && line.inode != 0 && !seen[key] {
			seen[key] = true
			m := Mapping{PID: pid, File: FileID{Inode: line.inode}, Start: line.start, End: line.end, Offset: line.offset}
			files = append(files, Executable{Mapping: m, Path: line.path})
		}
		return len(files) == maxExecutables
	})
	if err != nil && !errors.Is(err, ErrUnmapped) {
		return nil, fmt.Errorf("listing files of process %d: %w", pid, err)
	}
	return files, nil
}

// Open opens the file, and tells where in it the mapping begins.
func (e *Executable) Open(procRoot string) (*Located, error) {
	file, err := openMapping(procRoot, e.Mapping)
	if err != nil {
		return nil, fmt.Errorf("opening %s of process %d: %w", event.Clean(e.Path), e.PID, err)
	}
	return &Located{Handle: file.handle, Size: file.size, Offset: e.Offset}, nil
}

// maxNamed bounds the mappings of one name.
const maxNamed = 64

// Named lists the addresses of the mappings of a process whose name is wanted: a
// path, or what the process calls its memory. At most 64.
func Named(procRoot string, pid event.PID, wanted func(name string) bool) ([]uint64, error) {
	var starts []uint64
	_, err := firstLine(procRoot, pid, func(line *mapsLine) bool {
		if wanted(line.path) {
			starts = append(starts, line.start)
		}
		return len(starts) == maxNamed
	})
	if err != nil && !errors.Is(err, ErrUnmapped) {
		return nil, fmt.Errorf("listing mappings of process %d: %w", pid, err)
	}
	return starts, nil
}
