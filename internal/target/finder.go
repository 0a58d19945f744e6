package target

import (
	"errors"
	"fmt"
	"os"

	"github.com/gpucause/gpucause/internal/probe"
	"github.com/gpucause/gpucause/internal/probesite"
)

// Bounds of a Finder.
const (
	maxDecided   = 16384 // files known not to be CUDA libraries
	maxLibraries = 4096  // CUDA libraries handed out and not forgotten
)

// ErrTooManyLibraries says that a CUDA library was found and there is no room for it.
var ErrTooManyLibraries = errors.New("too many CUDA libraries")

// Library is a CUDA library that is mapped somewhere. The caller closes Handle.
type Library struct {
	File   FileID
	Handle *os.File // open for reading
	Path   string   // as the first process that maps it sees it, safe to show
	Layers []probe.Layer

	probesite.Selection
}

// FinderStats count what a Finder did since it was made.
type FinderStats struct {
	Known     uint64 // answered from memory
	Accepted  uint64 // CUDA libraries
	Rejected  uint64 // files that are none
	Malformed uint64 // of the rejected, files that contradict themselves
	Failed    uint64 // attempts to open or read a file that failed
	Postponed uint64 // not tried again yet after a failure
	Evicted   uint64 // decisions forgotten for want of room
}

// Finder tells CUDA libraries from other mapped files, each file once. It is
// not safe for concurrent use.
type Finder struct {
	ProcRoot string            // where proc is mounted
	Options  probesite.Options // for the selection of sites

	probes    []probe.Probe
	decided   *decisions
	libraries map[FileID]struct{}
	stats     FinderStats
}

// NewFinder returns a Finder of libraries that define some of probes, which are
// in catalogue order.
func NewFinder(probes []probe.Probe) *Finder {
	return &Finder{
		ProcRoot:  "/proc",
		probes:    probes,
		decided:   newDecisions(maxDecided),
		libraries: make(map[FileID]struct{}),
	}
}

// Examine returns the library behind m when it sees it for the first time, and
// nil for one that it has returned before and for all other files. An error
// concerns this attempt: Examine tries the file again, ever less often.
func (f *Finder) Examine(m Mapping) (*Library, error) {
	if f.settled(m.File) {
		return nil, nil
	}
	file, err := openMapping(f.ProcRoot, m)
	switch {
	case errors.Is(err, errNotRegular):
		f.reject(m.File)
		return nil, nil
	case err != nil:
		f.fail(m.File)
		return nil, fmt.Errorf("examining a mapped file of process %d: %w", m.PID, err)
	}
	library, err := f.inspect(m.File, file)
	if library == nil {
		file.handle.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("examining %s of process %d: %w", file.path, m.PID, err)
	}
	return library, nil
}

// Forget makes Examine return the file again.
func (f *Finder) Forget(file FileID) {
	delete(f.libraries, file)
	f.decided.forget(file)
}

// Stats returns the counters.
func (f *Finder) Stats() FinderStats {
	stats := f.stats
	stats.Evicted = f.decided.evicted
	return stats
}

// settled reports whether there is nothing to do about file now.
func (f *Finder) settled(file FileID) bool {
	if _, known := f.libraries[file]; known {
		f.stats.Known++
		return true
	}
	switch f.decided.look(file) {
	case final:
		f.stats.Known++
		return true
	case postponed:
		f.stats.Postponed++
		return true
	default:
		return false
	}
}

// inspect decides what file is: nil and no error is "no CUDA library".
func (f *Finder) inspect(id FileID, file *opened) (*Library, error) {
	selection, err := f.sites(file)
	switch {
	case errors.Is(err, probesite.ErrNotCUDA):
		f.reject(id)
		return nil, nil
	case errors.Is(err, probesite.ErrMalformed):
		f.stats.Malformed++
		f.reject(id)
		return nil, err
	case err != nil:
		f.fail(id)
		return nil, err
	case len(f.libraries) >= maxLibraries:
		f.fail(id)
		return nil, ErrTooManyLibraries
	}
	f.stats.Accepted++
	f.libraries[id] = struct{}{}
	f.decided.forget(id)
	return &Library{File: id, Handle: file.handle, Path: file.path, Layers: layersOf(selection), Selection: *selection}, nil
}

// sites reads hostile bytes: a defect in that costs the file, not the program.
func (f *Finder) sites(file *opened) (selection *probesite.Selection, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("%w: reading it panicked, please report it: %v", probesite.ErrMalformed, cause)
		}
	}()
	elf, err := probesite.Open(file.handle, file.size)
	if err != nil {
		return nil, err
	}
	return elf.Sites(f.probes, f.Options)
}

func (f *Finder) reject(file FileID) {
	f.stats.Rejected++
	f.decided.at(file).final = true
}

func (f *Finder) fail(file FileID) {
	f.stats.Failed++
	f.decided.at(file).postpone()
}

// layersOf lists the layers that a library's functions belong to, each once.
func layersOf(s *probesite.Selection) []probe.Layer {
	var has [probe.Layers]bool
	for _, found := range s.Found {
		has[found.Probe.Layer] = true
	}
	for _, refused := range s.Refused {
		has[refused.Probe.Layer] = true
	}
	var layers []probe.Layer
	for layer, there := range has {
		if there {
			layers = append(layers, probe.Layer(layer))
		}
	}
	return layers
}
