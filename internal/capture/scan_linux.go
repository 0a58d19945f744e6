//go:build amd64 || arm64

package capture

import (
	"fmt"
	"io"
	"os"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/gpucause/gpucause/bpf"
	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
	"github.com/gpucause/gpucause/internal/target"
)

// scanner runs the iterators over tasks and their mappings. It may be used
// concurrently.
type scanner struct {
	tasks, mappings, adopt *link.Iter
}

// scanBuffer is the size of one read of an iterator.
const scanBuffer = 1 << 15

func newScanner(programs *bpf.GpucausePrograms) (*scanner, error) {
	s := &scanner{}
	for _, it := range []struct {
		to      **link.Iter
		program *ebpf.Program
	}{
		{&s.tasks, programs.ScanTasks},
		{&s.mappings, programs.ScanMappings},
		{&s.adopt, programs.AdoptThreads},
	} {
		iter, err := link.AttachIter(link.IterOptions{Program: it.program})
		if err != nil {
			_ = s.Close()
			return nil, fmt.Errorf("attaching iterator: %w", err)
		}
		*it.to = iter
	}
	return s, nil
}

// Close detaches the iterators.
func (s *scanner) Close() error {
	var all closers
	for _, iter := range []*link.Iter{s.tasks, s.mappings, s.adopt} {
		if iter != nil {
			all = append(all, iter)
		}
	}
	return all.Close()
}

// processes returns the pages of executable mappings of every process.
func (s *scanner) processes() (map[event.ProcessID]uint64, error) {
	pages := make(map[event.ProcessID]uint64)
	err := eachEntry(s.tasks, func(e *bpf.GpucauseTaskEntry) {
		pages[event.ProcessID{PID: event.PID(e.Tgid), Start: ktime.Time(e.StartBoottimeNs)}] = e.ExecPages
	})
	if err != nil {
		return nil, fmt.Errorf("looking at processes: %w", err)
	}
	return pages, nil
}

// find returns the identity of a process.
func (s *scanner) find(pid event.PID) (event.ProcessID, error) {
	pages, err := s.processes()
	if err != nil {
		return event.ProcessID{}, err
	}
	for id := range pages {
		if id.PID == pid {
			return id, nil
		}
	}
	return event.ProcessID{}, ErrProcessGone
}

// executables hands every executable file mapping of every process to handle.
func (s *scanner) executables(handle func(target.Mapping)) error {
	pageBytes := uint64(os.Getpagesize()) // vm_pgoff counts pages
	err := eachEntry(s.mappings, func(e *bpf.GpucauseMappingEntry) {
		handle(target.Mapping{
			PID:    event.PID(e.Tgid),
			File:   target.FileID{Dev: e.Device, Inode: e.Inode, Generation: e.Generation},
			Start:  e.Start,
			End:    e.End,
			Offset: e.OffsetPages * pageBytes,
		})
	})
	if err != nil {
		return fmt.Errorf("looking at mappings: %w", err)
	}
	return nil
}

// adoptThreads begins to track the threads of all traced and followed processes.
func (s *scanner) adoptThreads() error {
	reader, err := s.adopt.Open()
	if err != nil {
		return fmt.Errorf("adopting threads: %w", err)
	}
	defer reader.Close()
	if _, err := io.Copy(io.Discard, reader); err != nil {
		return fmt.Errorf("adopting threads: %w", err)
	}
	return nil
}

// eachEntry runs an iterator and hands its entries to handle, one at a time.
func eachEntry[T any](iter *link.Iter, handle func(*T)) error {
	reader, err := iter.Open()
	if err != nil {
		return err
	}
	defer reader.Close()
	var entry T
	raw := unsafe.Slice((*byte)(unsafe.Pointer(&entry)), unsafe.Sizeof(entry))
	buffer := make([]byte, scanBuffer)
	filled := 0 // bytes that hold the head of an entry
	for {
		n, err := reader.Read(buffer[filled:])
		filled += n
		rest := buffer[:filled]
		for len(rest) >= len(raw) {
			copy(raw, rest)
			rest = rest[len(raw):]
			handle(&entry)
		}
		filled = copy(buffer, rest)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
