//go:build amd64 || arm64

package capture

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/probe"
	"github.com/gpucause/gpucause/internal/probesite"
	"github.com/gpucause/gpucause/internal/target"
)

const (
	// restFactor times what a look at all mappings took is the least pause before
	// the next: discovery never takes more than a twentieth of one CPU.
	restFactor = 20
	// unusedAfter is how long a library may be mapped nowhere before it is let go.
	unusedAfter = 5 * time.Second
)

// attachment is one library that is probed.
type attachment struct {
	links  closers
	report Library
	seen   time.Time // when it was last found mapped
}

// discovery finds libraries as processes map them, attaches to each once, and
// lets go of those that nobody maps any more. run is its only goroutine; the
// fields below mu are shared.
type discovery struct {
	scanner  *scanner
	finder   *target.Finder
	attacher *attacher
	returns  bool // return probes are safe
	log      *zap.Logger

	pages    map[event.ProcessID]uint64 // executable pages of each process, at the last look
	fresh    bool                       // something mapped may not have been looked at
	vanished bool                       // a process is gone
	next     time.Time                  // no look at all mappings before
	full     time.Time                  // the last one

	mu        sync.Mutex
	libraries map[target.FileID]*attachment
	failures  map[string]uint64
	passes    uint64
	spent     time.Duration
	alive     map[event.ProcessID]uint64 // a copy of pages
	lists     uint64                     // of alive processes, made so far
}

func newDiscovery(s *scanner, a *attacher, returns bool, settings Settings, log *zap.Logger) *discovery {
	finder := target.NewFinder(tracedProbes(settings))
	finder.Options = probesite.Options{
		AllowSingleStep:    settings.SingleStepARM64,
		SingleStepsLongNOP: kernelSingleStepsNOP(),
	}
	return &discovery{
		scanner:   s,
		finder:    finder,
		attacher:  a,
		returns:   returns,
		log:       log,
		fresh:     true,
		libraries: make(map[target.FileID]*attachment),
		failures:  make(map[string]uint64),
	}
}

// tracedProbes are the rows of the catalogue that are to be attached.
func tracedProbes(settings Settings) []probe.Probe {
	return slices.DeleteFunc(probe.All(), func(p probe.Probe) bool { return p.Layer == probe.LayerNCCL && !settings.NCCL })
}

// run looks for libraries until ctx ends.
func (d *discovery) run(ctx context.Context, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			if err := d.look(now); err != nil {
				d.fail("scan", err)
			}
		}
	}
}

// look finds what has changed: cheaply, by each process's executable pages, and
// thoroughly only if something has.
func (d *discovery) look(now time.Time) error {
	defer d.measure(time.Now())
	pages, err := d.scanner.processes()
	if err != nil {
		return err
	}
	d.compare(pages)
	stale := d.vanished && now.Sub(d.full) > unusedAfter
	if !d.fresh && !stale || now.Before(d.next) {
		return nil
	}
	return d.lookAtMappings(now)
}

func (d *discovery) measure(started time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.passes++
	d.spent += time.Since(started)
}

func (d *discovery) compare(pages map[event.ProcessID]uint64) {
	for id, n := range pages {
		if before, known := d.pages[id]; !known || before != n {
			d.fresh = true
		}
	}
	for id := range d.pages {
		if _, still := pages[id]; !still {
			d.vanished = true
		}
	}
	d.pages = pages
	d.mu.Lock()
	defer d.mu.Unlock()
	d.alive = pages
	d.lists++
}

func (d *discovery) lookAtMappings(now time.Time) error {
	d.fresh, d.vanished = false, false
	var unknown []target.Mapping
	started := time.Now()
	err := d.scanner.executables(func(m target.Mapping) {
		if a := d.attached(m.File); a != nil {
			a.seen = now
		} else {
			unknown = append(unknown, m)
		}
	})
	// What is examined is examined once: only the look itself must be rare.
	d.full, d.next = now, now.Add(restFactor*time.Since(started))
	if err != nil {
		d.fresh = true
		return err
	}
	d.examine(unknown, now)
	d.letGo(now)
	return nil
}

// examine attaches to the libraries among files that have none of our probes.
func (d *discovery) examine(mappings []target.Mapping, now time.Time) {
	postponed := d.finder.Stats().Postponed
	for _, m := range mappings {
		library, err := d.finder.Examine(m)
		if err != nil {
			d.fresh = true // it is to be examined again
			d.fail("examine", err)
		}
		if library != nil {
			d.attach(library, now)
			_ = library.Handle.Close() // was only read
		}
	}
	d.fresh = d.fresh || d.finder.Stats().Postponed != postponed
}

func (d *discovery) attached(file target.FileID) *attachment {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.libraries[file]
}

func (d *discovery) attach(library *target.Library, now time.Time) {
	a := &attachment{report: describeLibrary(library), seen: now}
	points := d.points(library, &a.report)
	if len(points) > 0 {
		links, refused, err := d.attacher.attach(fmt.Sprintf("/proc/self/fd/%d", library.Handle.Fd()), points)
		if err != nil {
			d.fail("attach", err)
		}
		a.links = links
		a.report.Attached -= len(refused)
	}
	d.log.Info("Probing library",
		zap.String("path", library.Path),
		zap.Int("functions", a.report.Attached),
		zap.Int("single_stepped", a.report.SingleStepped),
		zap.Strings("missing", library.Missing))
	d.mu.Lock()
	defer d.mu.Unlock()
	d.libraries[library.File] = a
}

// points chooses for each function how it is probed, and counts it in report.
func (d *discovery) points(library *target.Library, report *Library) []point {
	points := make([]point, 0, len(library.Found))
	for _, found := range library.Found {
		p := point{Probe: found.Probe.ID, Offset: found.FileOffset, EntryOnly: !d.returns || !found.Site.ReturnOK}
		points = append(points, p)
		report.Attached++
		if p.EntryOnly {
			report.EntryOnly++
		}
		if found.Site.Kind == probesite.KindEmulated {
			report.Emulated++
		} else {
			report.SingleStepped++
		}
	}
	for _, refused := range library.Refused {
		d.fail("site", refused.Err)
	}
	return points
}

func describeLibrary(library *target.Library) Library {
	return Library{
		Path:    library.Path,
		Device:  library.File.Dev,
		Inode:   library.File.Inode,
		Missing: library.Missing,
	}
}

// letGo detaches from the libraries that have been mapped nowhere for a while.
func (d *discovery) letGo(now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for file, a := range d.libraries {
		if now.Sub(a.seen) < unusedAfter {
			d.vanished = d.vanished || a.seen != now
			continue
		}
		delete(d.libraries, file)
		d.finder.Forget(file)
		if err := a.links.Close(); err != nil {
			d.failures["detach"]++
		}
		d.log.Info("Library is not mapped any more", zap.String("path", a.report.Path))
	}
}

// fail counts a failure; the log sees each reason once.
func (d *discovery) fail(reason string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.failures[reason] == 0 {
		d.log.Warn("Some functions are not traced; further failures of this kind are only counted",
			zap.String("reason", reason), zap.Error(err))
	}
	d.failures[reason]++
}

// processes returns the processes of the host at the last look, and the number
// of that list. The list is read-only. While a look attaches, it grows old.
func (d *discovery) processes() (map[event.ProcessID]uint64, uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.alive, d.lists
}

func (d *discovery) report(r *Report) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, a := range d.libraries {
		r.Libraries = append(r.Libraries, a.report)
	}
	slices.SortFunc(r.Libraries, func(a, b Library) int {
		if a.Path < b.Path {
			return -1
		}
		return 1
	})
	r.AttachFailures = maps.Clone(d.failures)
	r.DiscoveryPasses = d.passes
	r.DiscoveryTime = int64(d.spent)
}

// detachTimeout bounds how long close waits for the Linux kernel: perf uprobes
// take it some 100 ms each.
const detachTimeout = 4 * time.Second

// close detaches from every library. What is not detached in time goes on in the
// background, and ends with the process at the latest.
func (d *discovery) close() error {
	var links closers
	d.mu.Lock()
	for file, a := range d.libraries {
		links = append(links, a.links...)
		delete(d.libraries, file)
	}
	d.mu.Unlock()
	done := make(chan error, 1)
	go func() { done <- links.Close() }()
	select {
	case err := <-done:
		return err
	case <-time.After(detachTimeout):
		d.log.Warn("Uprobes are still being detached in the background", zap.Int("links", len(links)))
		return nil
	}
}
