//go:build amd64 || arm64

package capture

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/ringbuf"
	"go.uber.org/zap"

	"github.com/gpucause/gpucause/bpf"
	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/wire"
)

// drainAtMost is how many records one Drain reads, so that a flood cannot keep
// it from returning.
const drainAtMost = 1 << 16

// Session is a running capture. Drain, Snapshot and Follow are called from one
// goroutine; Report from any.
type Session struct {
	objects   *bpf.GpucauseObjects
	mechanism Mechanism
	returns   verdict
	scheduler closers // links of the tracepoints
	scanner   *scanner
	discovery *discovery
	tally     *tally
	reader    *ringbuf.Reader

	raw    ringbuf.Record // buffers of Drain
	record event.Record
	adopt  bool // a process has been adopted since the last look at its threads

	read      atomic.Uint64
	malformed atomic.Uint64

	cancel context.CancelFunc
	wait   sync.WaitGroup
	once   sync.Once
	closed error
}

// Open checks what the machine offers, loads the programs, attaches to the
// libraries that are mapped now and goes on to look for others in the
// background. Nothing is attached when it returns an error.
func Open(ctx context.Context, settings Settings, log *zap.Logger) (*Session, error) {
	offered, err := inspect()
	if err != nil {
		return nil, err
	}
	if err := offered.check(settings.Mechanism); err != nil {
		return nil, err
	}
	s := &Session{}
	if err := s.open(settings, log); err != nil {
		_ = s.Close()
		return nil, err
	}
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.cancel = cancel
	s.wait.Go(func() { s.discovery.run(background, settings.DiscoverEvery) })
	return s, nil
}

func (s *Session) open(settings Settings, log *zap.Logger) (err error) {
	if s.objects, s.mechanism, s.returns, err = loadObjects(settings); err != nil {
		return err
	}
	if !s.returns.safe {
		log.Warn("Return probes are off: calls are seen at entry only, without durations", zap.String("reason", s.returns.reason))
	}
	if s.tally, err = newTally(&s.objects.GpucauseMaps); err != nil {
		return err
	}
	if s.reader, err = ringbuf.NewReader(s.objects.Events); err != nil {
		return fmt.Errorf("mapping ring buffer: %w", err)
	}
	s.reader.SetDeadline(time.Unix(1, 0)) // never wait
	if s.scheduler, err = attachScheduler(&s.objects.GpucausePrograms); err != nil {
		return err
	}
	if s.scanner, err = newScanner(&s.objects.GpucausePrograms); err != nil {
		return err
	}
	s.discovery = newDiscovery(s.scanner, &attacher{
		mechanism: s.mechanism,
		entry:     s.objects.CallEntry,
		exit:      s.objects.CallReturn,
		session:   s.objects.CallSession,
	}, s.returns.safe, settings, log)
	return s.discovery.look(time.Now())
}

func attachScheduler(programs *bpf.GpucausePrograms) (closers, error) {
	var links closers
	for _, program := range []*ebpf.Program{
		programs.ProcessExit, programs.ProcessExec, programs.ProcessFork, programs.SchedWaking, programs.SchedSwitch,
	} {
		l, err := link.AttachTracing(link.TracingOptions{Program: program})
		if err != nil {
			_ = links.Close()
			return nil, fmt.Errorf("attaching to scheduler tracepoints: %w", err)
		}
		links = append(links, l)
	}
	return links, nil
}

// Drain hands the records that are in the ring buffer to handle, without
// waiting for more. The record is valid during the call only.
func (s *Session) Drain(handle func(*event.Record)) error {
	for range drainAtMost {
		err := s.reader.ReadInto(&s.raw)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil {
			return fmt.Errorf("reading ring buffer: %w", err)
		}
		s.read.Add(1)
		if err := wire.Decode(s.raw.RawSample, &s.record); err != nil {
			s.malformed.Add(1)
			continue
		}
		s.notice(&s.record)
		handle(&s.record)
	}
	return s.adoptThreads()
}

func (s *Session) notice(r *event.Record) {
	if r.Kind == event.KindProcess && r.Process.Kind == event.ProcessAdopted {
		s.adopt = true
	}
}

func (s *Session) adoptThreads() error {
	if !s.adopt {
		return nil
	}
	s.adopt = false
	return s.scanner.adoptThreads()
}

// Snapshot returns the increments of all counters since the previous call.
func (s *Session) Snapshot() (*event.Snapshot, error) {
	snapshot, err := s.tally.snapshot()
	if err != nil {
		return nil, err
	}
	// A process that exited without a record is found by its absence.
	if err := s.tally.sweep(s.discovery.processes()); err != nil {
		return nil, err
	}
	return snapshot, nil
}

// ErrProcessGone says that a process to follow has exited.
var ErrProcessGone = errors.New("process is gone")

// Follow records the off-CPU intervals of a process that makes no CUDA calls
// itself, so that what it was doing while others waited for it can be told. It
// ends with the process.
func (s *Session) Follow(pid event.PID) error {
	id, err := s.scanner.find(pid)
	if err != nil {
		return fmt.Errorf("following process %d: %w", pid, err)
	}
	process := bpf.GpucauseProcess{StartBoottimeNs: uint64(id.Start), Followed: 1}
	err = s.objects.Processes.Update(uint32(pid), &process, ebpf.UpdateNoExist)
	if errors.Is(err, ebpf.ErrKeyExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("following process %d: %w", pid, err)
	}
	s.adopt = true
	return nil
}

// Close detaches every probe, then frees the maps. It may be called twice.
func (s *Session) Close() error {
	s.once.Do(func() { s.closed = s.close() })
	return s.closed
}

func (s *Session) close() error {
	if s.cancel != nil {
		s.cancel()
	}
	s.wait.Wait()
	var errs []error
	if s.discovery != nil {
		errs = append(errs, s.discovery.close())
	}
	errs = append(errs, s.scheduler.Close())
	if s.scanner != nil {
		errs = append(errs, s.scanner.Close())
	}
	if s.reader != nil {
		errs = append(errs, s.reader.Close())
	}
	if s.objects != nil {
		errs = append(errs, closeObjects(s.objects))
	}
	return errors.Join(errs...)
}

func closeObjects(objects *bpf.GpucauseObjects) error {
	var errs []error
	for _, program := range programFields(&objects.GpucausePrograms) {
		if *program != nil {
			errs = append(errs, (*program).Close())
		}
	}
	return errors.Join(append(errs, objects.GpucauseMaps.Close())...)
}
