package target

import (
	"errors"
	"os"

	"github.com/gpucause/gpucause/internal/event"
)

// Errors of opening a mapped file.
var (
	errNotRegular = errors.New("not a regular file")
	errDeleted    = errors.New("deleted, and only reachable through map_files, which needs CAP_CHECKPOINT_RESTORE")
	errReplaced   = errors.New("another file is there now")
)

// opened is a mapped file, open and verified.
type opened struct {
	handle *os.File
	size   int64
	path   string // as the process sees it, safe to show
}

func newOpened(handle *os.File, size int64, path string) *opened {
	return &opened{handle: handle, size: size, path: event.Clean(path)}
}
