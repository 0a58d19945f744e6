package processcontext

import (
	"errors"
	"fmt"
	"strings"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/target"
)

// attempts is how often a context is read that its process writes meanwhile.
const attempts = 4

// names begin the names of the mapping, by what its process could do: a file in
// memory with or without a name of its own, or other memory with one.
var names = []string{"[anon_shmem:OTEL_CTX]", "[anon:OTEL_CTX]", "/memfd:OTEL_CTX"}

// Read returns what a process publishes, found in proc, mounted at procRoot; the
// zero Context where it publishes nothing. With an error nothing is known.
func Read(procRoot string, pid event.PID) (Context, error) {
	starts, err := target.Named(procRoot, pid, isContext)
	if err != nil {
		return Context{}, err
	}
	for _, start := range starts {
		var c Context
		if c, err = readAt(pid, start); err == nil {
			return c, nil
		}
	}
	if err != nil {
		return Context{}, fmt.Errorf("reading process context of process %d: %w", pid, err)
	}
	return Context{}, nil
}

func isContext(name string) bool {
	for _, prefix := range names {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// readAt reads the context at an address, until its process leaves it alone meanwhile.
func readAt(pid event.PID, address uint64) (c Context, err error) {
	for range attempts {
		if c, err = readOnce(pid, address); !errors.Is(err, ErrUpdating) {
			break
		}
	}
	return c, err
}

func readOnce(pid event.PID, address uint64) (Context, error) {
	before, err := readHeader(pid, address)
	if err != nil {
		return Context{}, err
	}
	payload := make([]byte, before.size)
	unread := target.ReadMemory(pid, before.payload, payload)
	after, err := readHeader(pid, address)
	switch {
	case err != nil:
		return Context{}, err
	case after != before:
		return Context{}, ErrUpdating
	case unread != nil:
		return Context{}, fmt.Errorf("%w: %w", ErrMalformed, unread)
	}
	return decode(payload)
}

func readHeader(pid event.PID, address uint64) (header, error) {
	var raw [headerSize]byte
	if err := target.ReadMemory(pid, address, raw[:]); err != nil {
		return header{}, err
	}
	return parseHeader(&raw)
}
