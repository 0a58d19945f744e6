package target

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
)

// Bounds on what is read of one process.
const (
	maxStatusBytes  = 16 << 10
	maxCgroupBytes  = 64 << 10
	maxEnvironBytes = 256 << 10
	maxTitleBytes   = 128
	maxCommandBytes = 4 << 10
)

// clockTick is the unit of times in /proc/PID/stat: USER_HZ is 100 on amd64 and arm64.
const clockTick = 10 * time.Millisecond

// Process is who a process is. All text in it is safe to show.
type Process struct {
	PID       event.PID
	ParentPID event.PID
	NSPID     event.PID // in the innermost PID namespace
	// Start is the process's start on CLOCK_BOOTTIME, cut to 10 ms: the
	// event.ProcessID of the same process starts less than 10 ms later.
	Start ktime.Time

	Executable  string   // base name
	Title       string   // first word of argv[0], base name: a fallback for the service's name
	CommandLine []string // only when asked for

	ContainerID string
	PodUID      string // of Kubernetes

	Service            Service
	ResourceAttributes map[string]string // as OTEL_RESOURCE_ATTRIBUTES sets them, without Service's
}

// DescribeOptions say what else Describe reads.
type DescribeOptions struct {
	CommandLine bool // arguments may hold secrets
}

// Describe reads who a process is from proc, mounted at procRoot. An error means
// that the process is gone or cannot be seen; what else cannot be read is left out.
func Describe(procRoot string, pid event.PID, options DescribeOptions) (Process, error) {
	files := procFiles(procDir(procRoot, pid))
	p := Process{PID: pid, NSPID: pid}
	if err := p.readStat(files); err != nil {
		return Process{}, fmt.Errorf("describing process %d: %w", pid, err)
	}
	p.readStatus(files)
	p.readContainer(files)
	p.readEnvironment(files)
	p.readCommand(files, options)
	again := Process{}
	if err := again.readStat(files); err != nil || again.Start != p.Start {
		return Process{}, fmt.Errorf("describing process %d: %w", pid, errors.Join(errProcessGone, err))
	}
	return p, nil
}

// Is reports whether the process that has an id's number now is that process.
// An id without a start is whoever has the number.
func Is(procRoot string, id event.ProcessID) bool {
	var p Process
	if err := p.readStat(procFiles(procDir(procRoot, id.PID))); err != nil {
		return false
	}
	return id.Start == 0 || id.Start >= p.Start && id.Start.Sub(p.Start) < clockTick
}

var (
	errProcessGone = errors.New("the process is gone")
	errStat        = errors.New("unknown format of stat")
)

// procFiles is the directory of one process in proc.
type procFiles string

// read returns the beginning of a file, at most limit bytes.
func (d procFiles) read(name string, limit int64) (string, error) {
	file, err := os.Open(filepath.Join(string(d), name))
	if err != nil {
		return "", err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, limit))
	return string(text), err
}

// readStat takes the parent and the start out of stat: fields 4 and 22, counted
// behind the name, which may contain anything.
func (p *Process) readStat(files procFiles) error {
	text, err := files.read("stat", maxStatusBytes)
	if err != nil {
		return err
	}
	const afterName, parent, start = 3, 4, 22
	end := strings.LastIndexByte(text, ')')
	fields := strings.Fields(text[end+1:])
	if end < 0 || len(fields) <= start-afterName {
		return errStat
	}
	ticks, err := strconv.ParseInt(fields[start-afterName], 10, 64)
	if err != nil || ticks < 0 || ticks > int64(1<<62/clockTick) {
		return errStat
	}
	p.ParentPID = parsePID(fields[parent-afterName])
	p.Start = ktime.Time(ticks * int64(clockTick))
	return nil
}

// readStatus takes the PID in the innermost namespace out of status.
func (p *Process) readStatus(files procFiles) {
	text, err := files.read("status", maxStatusBytes)
	if err != nil {
		return
	}
	for line := range strings.Lines(text) {
		if list, ok := strings.CutPrefix(line, "NSpid:"); ok {
			if pids := strings.Fields(list); len(pids) > 0 {
				p.NSPID = parsePID(pids[len(pids)-1])
			}
			return
		}
	}
}

func parsePID(s string) event.PID {
	pid, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return 0
	}
	return event.PID(pid)
}

func (p *Process) readContainer(files procFiles) {
	text, err := files.read("cgroup", maxCgroupBytes)
	if err != nil {
		return
	}
	c := parseCgroup(text)
	p.ContainerID, p.PodUID = c.id, c.podUID
}

// readEnvironment keeps what the process declares to OpenTelemetry and nothing
// else. Invalid attributes are the process's own mistake: it goes without them.
func (p *Process) readEnvironment(files procFiles) {
	text, err := files.read("environ", maxEnvironBytes)
	if err != nil {
		return
	}
	if len(text) == maxEnvironBytes { // perhaps cut within a variable
		text = text[:strings.LastIndexByte(text, 0)+1]
	}
	p.Service, p.ResourceAttributes, _ = parseEnviron(text).resource()
}

// readCommand takes the executable's name from exe or, where that is not
// allowed, the main thread's, and the title from the command line.
func (p *Process) readCommand(files procFiles, options DescribeOptions) {
	if exe, err := os.Readlink(filepath.Join(string(files), "exe")); err == nil {
		p.Executable = event.Clean(filepath.Base(strings.TrimSuffix(exe, " (deleted)")))
	} else if comm, err := files.read("comm", event.CommSize); err == nil {
		p.Executable = event.Clean(strings.TrimSuffix(comm, "\n"))
	}
	line, err := files.read("cmdline", maxCommandBytes)
	if err != nil || line == "" {
		return
	}
	arguments := strings.Split(strings.TrimRight(line, "\x00"), "\x00")
	p.Title = titleOf(arguments[0])
	if options.CommandLine {
		for _, argument := range arguments {
			p.CommandLine = append(p.CommandLine, event.Clean(argument))
		}
	}
}

// titleOf takes the first word of argv[0]: a process that sets its title may put
// all its arguments there.
func titleOf(argv0 string) string {
	word, _, _ := strings.Cut(strings.TrimLeft(argv0, " "), " ")
	word = strings.TrimSuffix(word, ":")
	if i := strings.LastIndexByte(word, '/'); i >= 0 {
		word = word[i+1:]
	}
	return event.CleanWithin(word, maxTitleBytes)
}
