//go:build amd64 || arm64

package capture

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// initialPIDNamespace is the inode of the initial PID namespace (PROC_PID_INIT_INO).
const initialPIDNamespace = 0xeffffffc

// minKernel is the first Linux version with attach cookies and bpf_task_pt_regs.
var minKernel = kernelVersion{5, 15}

// multiKernel is the first Linux version with uprobe-multi links.
var multiKernel = kernelVersion{6, 6}

// errRefused says that something above the Linux kernel's own rules, a seccomp
// filter above all, refuses a system call.
var errRefused = errors.New("a system call is refused")

type kernelVersion struct{ major, minor int }

func (v kernelVersion) before(w kernelVersion) bool {
	return v.major < w.major || v.major == w.major && v.minor < w.minor
}

func (v kernelVersion) String() string { return fmt.Sprintf("%d.%d", v.major, v.minor) }

// machine is what preflight looks at.
type machine struct {
	kernel       kernelVersion
	capabilities uint64 // effective
	btf          bool
	pidNamespace uint64 // inode
	uprobePMU    bool   // perf uprobes need no tracefs
	tracefs      bool
	refusesBPF   bool // the system call does not reach the Linux kernel
	refusesPerf  bool
}

// inspect reads what the machine offers.
func inspect() (machine, error) {
	var m machine
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return m, fmt.Errorf("reading the Linux version: %w", err)
	}
	m.kernel = parseKernel(unix.ByteSliceToString(name.Release[:]))
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return m, fmt.Errorf("reading own capabilities: %w", err)
	}
	m.capabilities = parseCapabilities(string(status))
	var st unix.Stat_t
	if err := unix.Stat("/proc/self/ns/pid", &st); err != nil {
		return m, fmt.Errorf("reading own PID namespace: %w", err)
	}
	m.pidNamespace = st.Ino
	m.btf = exists("/sys/kernel/btf/vmlinux")
	m.uprobePMU = exists("/sys/bus/event_source/devices/uprobe/type")
	m.tracefs = exists("/sys/kernel/tracing/uprobe_events") || exists("/sys/kernel/debug/tracing/uprobe_events")
	// The arguments are invalid, and the Linux kernel itself would say that.
	const noSuchCommand, noAttributes = 1 << 16, 0
	m.refusesBPF = refused(unix.SYS_BPF, noSuchCommand)
	m.refusesPerf = refused(unix.SYS_PERF_EVENT_OPEN, noAttributes)
	return m, nil
}

// refused makes a system call and reports whether it is refused as such.
func refused(call, argument uintptr) bool {
	_, _, errno := unix.Syscall6(call, argument, 0, 0, 0, 0, 0)
	return errno == unix.EPERM || errno == unix.EACCES || errno == unix.ENOSYS
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// parseKernel reads the first two numbers of a release such as "6.8.0-31-generic".
func parseKernel(release string) kernelVersion {
	var v kernelVersion
	_, _ = fmt.Sscanf(release, "%d.%d", &v.major, &v.minor) // zeros are "too old", which is said
	return v
}

func parseCapabilities(status string) uint64 {
	for line := range strings.Lines(status) {
		if value, found := strings.CutPrefix(line, "CapEff:"); found {
			bits, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
			if err == nil {
				return bits
			}
		}
	}
	return 0
}

func (m machine) has(capability int) bool { return m.capabilities&(1<<capability) != 0 }

// check returns the first reason why nothing can be traced here, with what to do about it.
func (m machine) check(mechanism Mechanism) error {
	if m.kernel.before(minKernel) {
		return fmt.Errorf("%w: it is %s and must be at least %s", ErrKernelOld, m.kernel, minKernel)
	}
	if m.pidNamespace != initialPIDNamespace {
		return fmt.Errorf("%w: run the Collector with the host's PIDs (hostPID: true in Kubernetes, --pid=host in Docker)", ErrPIDNamespace)
	}
	if !m.btf {
		return fmt.Errorf("%w: /sys/kernel/btf/vmlinux is not there; use a kernel built with CONFIG_DEBUG_INFO_BTF=y and do not hide /sys from the Collector", ErrNoBTF)
	}
	if err := m.checkCapabilities(mechanism); err != nil {
		return err
	}
	if err := m.checkSystemCalls(mechanism); err != nil {
		return err
	}
	if m.usesPerf(mechanism) && !m.uprobePMU && !m.tracefs {
		return fmt.Errorf("%w: perf uprobes need it on this kernel; run: mount -t tracefs tracefs /sys/kernel/tracing", ErrTracefs)
	}
	return nil
}

func (m machine) usesPerf(mechanism Mechanism) bool {
	return mechanism == MechanismPerf || mechanism == MechanismAuto && m.kernel.before(multiKernel)
}

func (m machine) checkCapabilities(mechanism Mechanism) error {
	if !m.has(unix.CAP_SYS_ADMIN) {
		if m.usesPerf(mechanism) {
			return missingCapability("CAP_SYS_ADMIN", "perf uprobes require it; from Linux 6.6 CAP_BPF and CAP_PERFMON are enough")
		}
		if !m.has(unix.CAP_BPF) {
			return missingCapability("CAP_BPF", "loading BPF programs requires it")
		}
		if !m.has(unix.CAP_PERFMON) {
			return missingCapability("CAP_PERFMON", "attaching to other processes' libraries requires it")
		}
	}
	if !m.has(unix.CAP_SYS_PTRACE) {
		return missingCapability("CAP_SYS_PTRACE", "opening the libraries that other processes map requires it")
	}
	return nil
}

// checkSystemCalls is for one who has the capabilities: without, a refusal is the Linux kernel's own.
func (m machine) checkSystemCalls(mechanism Mechanism) error {
	switch {
	case m.refusesBPF:
		return refusedCall("bpf")
	case m.usesPerf(mechanism) && m.refusesPerf:
		return refusedCall("perf_event_open")
	}
	return nil
}

func refusedCall(name string) error {
	return fmt.Errorf("%w: %s, most likely by a seccomp filter; allow it in the container's seccomp profile (seccompProfile in Kubernetes, --security-opt seccomp= in Docker) or in SystemCallFilter= (systemd)", errRefused, name)
}

func missingCapability(name, why string) error {
	return fmt.Errorf("%w: %s: %s; run the Collector as root, or grant it with setcap, AmbientCapabilities= (systemd) or securityContext.capabilities (Kubernetes)", ErrCapability, name, why)
}

// longNOPKernel is the first Linux version that does not single-step NOPs of several bytes.
var longNOPKernel = kernelVersion{6, 18}

// kernelSingleStepsNOP reports whether this Linux kernel single-steps NOPs of several bytes.
func kernelSingleStepsNOP() bool {
	var name unix.Utsname
	if unix.Uname(&name) != nil {
		return true
	}
	return parseKernel(unix.ByteSliceToString(name.Release[:])).before(longNOPKernel)
}
