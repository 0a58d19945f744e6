package target

import (
	"fmt"
	"os"

	"github.com/gpucause/gpucause/internal/event"
)

// Located is a place in a mapped file. The caller closes Handle.
type Located struct {
	Handle *os.File // open for reading
	Size   int64    // of the file
	Offset uint64   // of the place
}

// Locate opens the file that is mapped at an address of a process, and tells
// where in it the address is. It is an ErrUnmapped where nothing is mapped.
func Locate(procRoot string, pid event.PID, address uint64) (*Located, error) {
	line, err := firstLine(procRoot, pid, func(line *mapsLine) bool { return line.start <= address && address < line.end })
	if err != nil {
		return nil, err
	}
	if line.inode == 0 {
		return nil, fmt.Errorf("locating %#x of process %d: %w", address, pid, errNotRegular)
	}
	m := Mapping{PID: pid, File: FileID{Inode: line.inode}, Start: line.start, End: line.end, Offset: line.offset}
	file, err := openMapping(procRoot, m)
	if err != nil {
		return nil, fmt.Errorf("locating %#x of process %d: %w", address, pid, err)
	}
	return &Located{Handle: file.handle, Size: file.size, Offset: line.offset + address - line.start}, nil
}

// FindMapped returns the path, as the process sees it, of the first executable
// file that a process maps whose path is wanted. It is an ErrUnmapped where there is none.
func FindMapped(procRoot string, pid event.PID, wanted func(path string) bool) (string, error) {
	line, err := firstLine(procRoot, pid, func(line *mapsLine) bool {
		return line.executable && line.inode != 0 && !line.deleted && wanted(line.path)
	})
	return line.path, err
}
