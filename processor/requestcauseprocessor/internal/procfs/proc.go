package procfs

import (
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/target"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/process"
)

// Bounds of what is read.
const (
	maxRelatives   = 2048 // in all
	maxPerProcess  = 256  // for one traced process
	maxAncestors   = 8
	maxTasks       = 4096    // threads of one process whose children are asked for
	maxProcesses   = 1 << 17 // of the machine
	maxSmallFile   = 64 << 10
	maxDescriptors = 1 << 16 // of one process
)

// Proc is a proc file system. It keeps nothing between two calls.
type Proc struct {
	root string
}

// New returns the proc that is mounted at root.
func New(root string) Proc { return Proc{root: root} }

func (p Proc) path(pid int64, parts ...string) string {
	return filepath.Join(append([]string{p.root, strconv.FormatInt(pid, 10)}, parts...)...)
}

// describe reads who a process is. It reports false where the process is gone
// or cannot be seen.
func (p Proc) describe(pid int64, networks *networks) (*process.Relative, bool) {
	if pid <= 0 || pid > int64(^uint32(0)) {
		return nil, false
	}
	known, err := target.Describe(p.root, event.PID(pid), target.DescribeOptions{})
	if err != nil {
		return nil, false
	}
	r := &process.Relative{
		PID: pid, ParentPID: int64(known.ParentPID), OwnPID: int64(known.NSPID), Nested: known.NSPID != known.PID,
		Start: uint64(known.Start), Executable: known.Executable, Title: known.Title,
		ContainerID: known.ContainerID, PodUID: known.PodUID,
	}
	if executable, err := os.Readlink(p.path(pid, "exe")); err == nil {
		r.Executable = executable
	}
	r.Command = strings.TrimSuffix(readSmall(p.path(pid, "comm")), "\n")
	r.ControlPath = controlPath(readSmall(p.path(pid, "cgroup")))
	r.HostName = strings.TrimSpace(readForeign(p.path(pid, "root", "etc", "hostname")))
	r.NetNS = p.netNS(strconv.FormatInt(pid, 10))
	r.OwnNetwork, r.Addresses = networks.of(r)
	return r, true
}

// controlPath returns a process's control group out of its cgroup file: in
// version 2 the only one, in version 1 that of the first hierarchy that it is
// not on top of.
func controlPath(text string) string {
	for line := range strings.Lines(text) {
		fields := strings.SplitN(strings.TrimRight(line, "\n"), ":", 3)
		if len(fields) == 3 && fields[2] != "/" {
			return fields[2]
		}
	}
	return "/"
}

// netNS returns the number of a process's network namespace, or 0.
func (p Proc) netNS(pid string) uint64 {
	link, err := os.Readlink(filepath.Join(p.root, pid, "ns", "net"))
	if err != nil {
		return 0
	}
	return bracketed(link, "net:[")
}

// bracketed returns the number in a link such as "net:[4026531840]", or 0.
func bracketed(link, prefix string) uint64 {
	number, ok := strings.CutPrefix(link, prefix)
	if !ok {
		return 0
	}
	n, err := strconv.ParseUint(strings.TrimSuffix(number, "]"), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// readSmall returns a file of proc itself, or as much as fits; nothing where it
// cannot be read.
func readSmall(path string) string {
	file, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer file.Close()
	return readAtMost(file, maxSmallFile)
}

// networks remembers each network namespace's addresses while relatives are read.
type networks struct {
	proc  Proc
	host  uint64
	known map[uint64][]netip.Addr
}

func (p Proc) networks() *networks {
	n := &networks{proc: p, host: p.netNS("1"), known: make(map[uint64][]netip.Addr)}
	if n.host == 0 {
		n.host = p.netNS("self")
	}
	return n
}

// of reports whether a process's network is not this machine's, and that
// network's addresses.
func (n *networks) of(r *process.Relative) (bool, []netip.Addr) {
	if r.NetNS == 0 || n.host == 0 {
		return false, nil
	}
	addresses, ok := n.known[r.NetNS]
	if !ok {
		addresses = localAddresses(
			readSmall(n.proc.path(r.PID, "net", "fib_trie")), readSmall(n.proc.path(r.PID, "net", "if_inet6")))
		n.known[r.NetNS] = addresses
	}
	return r.NetNS != n.host, addresses
}
