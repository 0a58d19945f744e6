package target

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// openMapping opens the file behind a mapping for reading. map_files reaches
// the very file, even a deleted one, but needs privileges; the path below the
// process's root may by now be another file's. Both are verified after opening.
func openMapping(procRoot string, m Mapping) (*opened, error) {
	file, err := openMapFile(procRoot, m)
	if err == nil || errors.Is(err, errNotRegular) {
		return file, err
	}
	file, rootErr := openThroughRoot(procRoot, m)
	if rootErr != nil {
		return nil, errors.Join(err, rootErr)
	}
	return file, nil
}

func openMapFile(procRoot string, m Mapping) (*opened, error) {
	link := filepath.Join(procDir(procRoot, m.PID), "map_files", fmt.Sprintf("%x-%x", m.Start, m.End))
	path, err := os.Readlink(link)
	if err != nil {
		return nil, fmt.Errorf("opening mapping: %w", err)
	}
	handle, size, err := openVerified(procRoot, link, 0, m)
	if err != nil {
		return nil, fmt.Errorf("opening mapping: %w", err)
	}
	return newOpened(handle, size, strings.TrimSuffix(path, " (deleted)")), nil
}

func openThroughRoot(procRoot string, m Mapping) (*opened, error) {
	line, err := findLine(procRoot, m)
	switch {
	case err != nil:
		return nil, err
	case !strings.HasPrefix(line.path, "/"):
		return nil, errNotRegular
	case line.deleted:
		return nil, errDeleted
	}
	path := filepath.Join(procDir(procRoot, m.PID), "root", line.path)
	handle, size, err := openVerified(procRoot, path, unix.O_NOFOLLOW, m)
	if errors.Is(err, errNotRegular) { // the process's doing, and no fact about the mapped file
		err = errReplaced
	}
	if err != nil {
		return nil, fmt.Errorf("opening mapped path: %w", err)
	}
	return newOpened(handle, size, line.path), nil
}

// openVerified opens path for reading once it has made sure that it is the
// mapped file: opening a FIFO or a device put there could hang or have effects.
func openVerified(procRoot, path string, flags int, m Mapping) (*os.File, int64, error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC|flags, 0)
	if err != nil {
		return nil, 0, err
	}
	defer unix.Close(fd)
	size, err := verify(procRoot, fd, m)
	if err != nil {
		return nil, 0, err
	}
	handle, err := os.Open(fmt.Sprintf("/proc/self/fd/%d", fd))
	return handle, size, err
}

// verify compares inode numbers. Where they need not agree, on overlay file
// systems, it makes do with the mapping being there still.
func verify(procRoot string, fd int, m Mapping) (size int64, err error) {
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return 0, fmt.Errorf("verifying file: %w", err)
	}
	switch {
	case stat.Mode&unix.S_IFMT != unix.S_IFREG:
		return 0, errNotRegular
	case stat.Ino == m.File.Inode:
		return stat.Size, nil
	case !onOverlay(fd):
		return 0, errReplaced
	}
	if _, err := findLine(procRoot, m); err != nil {
		return 0, err
	}
	return stat.Size, nil
}

func onOverlay(fd int) bool {
	var fs unix.Statfs_t
	return unix.Fstatfs(fd, &fs) == nil && fs.Type == unix.OVERLAYFS_SUPER_MAGIC
}
