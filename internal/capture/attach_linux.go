//go:build amd64 || arm64

package capture

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/gpucause/gpucause/internal/probe"
)

// attachSession is BPF_TRACE_UPROBE_SESSION (include/uapi/linux/bpf.h, Linux 6.13).
const attachSession = 57

// cookieEntryOnly in an attach cookie asks for no return (bpf/calls.bpf.h).
const cookieEntryOnly = 1 << 16

// point is where one function is probed.
type point struct {
	Probe     probe.ID
	Offset    uint64 // of the instruction, in the file
	EntryOnly bool
}

func (p point) cookie() uint64 {
	if p.EntryOnly {
		return uint64(p.Probe) | cookieEntryOnly
	}
	return uint64(p.Probe)
}

// attacher attaches the uprobe programs of one mechanism.
type attacher struct {
	mechanism            Mechanism
	entry, exit, session *ebpf.Program
}

// closers close together, in order.
type closers []io.Closer

// Close closes all and joins their errors.
func (c closers) Close() error {
	var errs []error
	for _, closer := range c {
		errs = append(errs, closer.Close())
	}
	return errors.Join(errs...)
}

// attach probes every point of the file at path. Points that the Linux kernel
// refuses are returned with the first error; the others are attached.
func (a *attacher) attach(path string, points []point) (closers, []point, error) {
	links, err := a.attachAll(path, points)
	if err == nil || len(points) == 1 {
		return links, refusedPoints(points, err), err
	}
	var attached closers
	var refused []point
	var first error
	for _, p := range points {
		links, err := a.attachAll(path, []point{p})
		attached = append(attached, links...)
		if err != nil {
			refused = append(refused, p)
			first = errors.Join(first, err)
		}
	}
	return attached, refused, first
}

func refusedPoints(points []point, err error) []point {
	if err == nil {
		return nil
	}
	return points
}

// attachAll probes all points or none.
func (a *attacher) attachAll(path string, points []point) (links closers, err error) {
	defer func() {
		if err != nil {
			_ = links.Close()
			links = nil
		}
	}()
	both, entries := split(points)
	for _, step := range a.steps(both, entries) {
		if len(step.points) == 0 {
			continue
		}
		l, err := step.attach(path, step.points)
		if err != nil {
			return links, err
		}
		links = append(links, l...)
	}
	return links, nil
}

func split(points []point) (both, entries []point) {
	for _, p := range points {
		if p.EntryOnly {
			entries = append(entries, p)
		} else {
			both = append(both, p)
		}
	}
	return both, entries
}

// step is one attachment of several points to one program.
type step struct {
	points []point
	attach func(path string, points []point) (closers, error)
}

// steps attaches returns before entries, so that no call is seen to open and not to close.
func (a *attacher) steps(both, entries []point) []step {
	switch a.mechanism {
	case MechanismSession:
		return []step{{append(both, entries...), multi(a.session, attachSession, 0)}}
	case MechanismMulti:
		return []step{
			{both, multi(a.exit, unix.BPF_TRACE_UPROBE_MULTI, unix.BPF_F_UPROBE_MULTI_RETURN)},
			{append(both, entries...), multi(a.entry, unix.BPF_TRACE_UPROBE_MULTI, 0)},
		}
	default:
		return []step{
			{both, perf(a.exit, (*link.Executable).Uretprobe)},
			{append(both, entries...), perf(a.entry, (*link.Executable).Uprobe)},
		}
	}
}

// multi attaches with one uprobe-multi link.
func multi(program *ebpf.Program, attachType, flags uint32) func(string, []point) (closers, error) {
	return func(path string, points []point) (closers, error) {
		l, err := createMultiLink(path, points, program, attachType, flags)
		if err != nil {
			return nil, err
		}
		return closers{l}, nil
	}
}

// createMultiLink is BPF_LINK_CREATE for uprobes; github.com/cilium/ebpf does not
// export sessions. The attribute is union bpf_attr's link_create.uprobe_multi,
// include/uapi/linux/bpf.h.
func createMultiLink(path string, points []point, program *ebpf.Program, attachType, flags uint32) (link.Link, error) {
	file := append([]byte(path), 0)
	offsets := make([]uint64, len(points))
	cookies := make([]uint64, len(points))
	for i, p := range points {
		offsets[i], cookies[i] = p.Offset, p.cookie()
	}
	attr := struct {
		programFD, targetFD, attachType, flags uint32
		path, offsets, refCounts, cookies      uint64
		count, multiFlags, pid, reserved       uint32
	}{
		programFD:  uint32(program.FD()),
		attachType: attachType,
		path:       address(&file[0]),
		offsets:    address(&offsets[0]),
		cookies:    address(&cookies[0]),
		count:      uint32(len(points)),
		multiFlags: flags,
	}
	fd, _, errno := unix.Syscall(unix.SYS_BPF, unix.BPF_LINK_CREATE, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr))
	runtime.KeepAlive(program)
	runtime.KeepAlive(file)
	runtime.KeepAlive(offsets)
	runtime.KeepAlive(cookies)
	if errno != 0 {
		return nil, fmt.Errorf("creating uprobe-multi link for %d functions: %w", len(points), errno)
	}
	return link.NewFromFD(int(fd))
}

func address[T any](p *T) uint64 { return uint64(uintptr(unsafe.Pointer(p))) }

// perf attaches with one perf event per point.
func perf(program *ebpf.Program, attach func(*link.Executable, string, *ebpf.Program, *link.UprobeOptions) (link.Link, error)) func(string, []point) (closers, error) {
	return func(path string, points []point) (closers, error) {
		executable, err := link.OpenExecutable(path)
		if err != nil {
			return nil, fmt.Errorf("opening library: %w", err)
		}
		var links closers
		for _, p := range points {
			l, err := attach(executable, "", program, &link.UprobeOptions{Address: p.Offset, Cookie: p.cookie()})
			if err != nil {
				_ = links.Close()
				return nil, fmt.Errorf("attaching perf uprobe: %w", err)
			}
			links = append(links, l)
		}
		return links, nil
	}
}

// attachEmpty attaches a program that does nothing, at entry and return, by one
// mechanism: to learn whether it works here, and what it costs.
func attachEmpty(mechanism Mechanism, path string, offset uint64) (io.Closer, error) {
	program, err := emptyProgram(mechanism)
	if err != nil {
		return nil, err
	}
	a := attacher{mechanism: mechanism, entry: program, exit: program, session: program}
	links, err := a.attachAll(path, []point{{Offset: offset}})
	if err != nil {
		_ = program.Close()
		return nil, err
	}
	return append(links, program), nil
}

func emptyProgram(mechanism Mechanism) (*ebpf.Program, error) {
	types := map[Mechanism]ebpf.AttachType{
		MechanismPerf:    ebpf.AttachNone,
		MechanismMulti:   ebpf.AttachTraceUprobeMulti,
		MechanismSession: attachSession,
	}
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name:         "empty",
		Type:         ebpf.Kprobe,
		AttachType:   types[mechanism],
		License:      "Dual BSD/GPL",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
	})
	if err != nil {
		return nil, fmt.Errorf("loading empty program: %w", err)
	}
	return program, nil
}
