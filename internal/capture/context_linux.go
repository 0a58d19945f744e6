//go:build amd64 || arm64

package capture

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"

	"github.com/gpucause/gpucause/bpf"
	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/threadcontext"
)

// ErrNotTraced says that a process is not, or no longer, traced.
var ErrNotTraced = errors.New("process is not traced")

// Program returns the program that a traced process runs now.
func (s *Session) Program(pid event.PID) (Program, error) {
	var process bpf.GpucauseProcess
	err := s.objects.Processes.Lookup(uint32(pid), &process)
	if errors.Is(err, ebpf.ErrKeyNotExist) {
		err = ErrNotTraced
	}
	if err != nil {
		return Program{}, fmt.Errorf("looking up process %d: %w", pid, err)
	}
	return Program{pid: pid, image: process.Image}, nil
}

// PlaceThreadContext has the thread contexts of a program read where they are;
// the zero place ends that. It has no effect on a program that the process
// executes later. Settings.ThreadSpans makes room for it.
func (s *Session) PlaceThreadContext(program Program, place threadcontext.Place) error {
	places, key := s.objects.ContextPlaces, uint32(program.pid)
	var err error
	if place.Known() {
		err = places.Put(key, &bpf.GpucauseContextPlace{Offset: place.Offset, Module: place.Module, Image: program.image})
	} else if err = places.Delete(key); errors.Is(err, ebpf.ErrKeyNotExist) {
		err = nil
	}
	if err != nil {
		return fmt.Errorf("placing thread context of process %d: %w", program.pid, err)
	}
	return nil
}
