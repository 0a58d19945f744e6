package threadcontext

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/gpucause/gpucause/internal/event"
)

const (
	entryTag = 9 // AT_ENTRY
	maxAuxv  = 4 << 10
)

var errNoEntry = errors.New("no entry point")

// entryPoint returns the address at which the program of a process begins; it is
// in the program's own file.
func entryPoint(procRoot string, pid event.PID) (uint64, error) {
	file, err := os.Open(filepath.Join(procRoot, strconv.FormatUint(uint64(pid), 10), "auxv"))
	if err != nil {
		return 0, fmt.Errorf("reading auxiliary vector: %w", err)
	}
	defer file.Close()
	raw, err := io.ReadAll(io.LimitReader(file, maxAuxv))
	if err != nil {
		return 0, fmt.Errorf("reading auxiliary vector: %w", err)
	}
	return findEntry(raw)
}

// findEntry reads pairs of a tag and a value.
func findEntry(raw []byte) (uint64, error) {
	for ; len(raw) >= 16; raw = raw[16:] {
		if binary.NativeEndian.Uint64(raw) == entryTag {
			return binary.NativeEndian.Uint64(raw[8:]), nil
		}
	}
	return 0, fmt.Errorf("reading auxiliary vector: %w", errNoEntry)
}
