package target

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/gpucause/gpucause/internal/event"
)

var errPartly = errors.New("only a part of it is mapped")

// ReadMemory fills to with the memory of a process at an address.
func ReadMemory(pid event.PID, address uint64, to []byte) error {
	if len(to) == 0 {
		return nil
	}
	local := []unix.Iovec{{Base: &to[0], Len: uint64(len(to))}}
	remote := []unix.RemoteIovec{{Base: uintptr(address), Len: len(to)}}
	n, err := unix.ProcessVMReadv(int(pid), local, remote, 0)
	if err == nil && n != len(to) {
		err = errPartly
	}
	if err != nil {
		return fmt.Errorf("reading %d bytes at %#x of process %d: %w", len(to), address, pid, err)
	}
	return nil
}
