package capture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"
)

// From Linux 6.11 a return probe makes a system call in the probed process.
// Some Linux kernels (6.11 to 6.13) let a seccomp filter that does not know that
// call kill the process: every container under Docker's default filter. The
// canary is a process of ours under such a filter; return probes are used only
// if it survives one.

const (
	canaryBase     = 0x400000
	canaryCode     = 0x80        // file offset of the code
	canaryFunction = 0x80 + 0x47 // of the probed instruction
	canaryProgram  = 0x80 + 0x50 // of struct sock_fprog
	canaryFilter   = 0x80 + 0x60 // of the filter's instructions
	canarySurvived = 42          // exit status
)

// canaryText forbids itself the system calls of uprobes, calls a function twice and exits with canarySurvived.
var canaryText = []byte{
	0xbf, 0x26, 0, 0, 0, // mov edi, PR_SET_NO_NEW_PRIVS
	0xbe, 0x01, 0, 0, 0, // mov esi, 1
	0x31, 0xd2, // xor edx, edx
	0x45, 0x31, 0xd2, // xor r10d, r10d
	0x45, 0x31, 0xc0, // xor r8d, r8d
	0xb8, 0x9d, 0, 0, 0, // mov eax, SYS_prctl
	0x0f, 0x05, // syscall
	0xbf, 0x16, 0, 0, 0, // mov edi, PR_SET_SECCOMP
	0xbe, 0x02, 0, 0, 0, // mov esi, SECCOMP_MODE_FILTER
	0x48, 0x8d, 0x15, 0x26, 0, 0, 0, // lea rdx, [rip+program]
	0xb8, 0x9d, 0, 0, 0, // mov eax, SYS_prctl
	0x0f, 0x05, // syscall
	0xe8, 0x11, 0, 0, 0, // call function
	0xe8, 0x0c, 0, 0, 0, // call function
	0xbf, canarySurvived, 0, 0, 0, // mov edi, canarySurvived
	0xb8, 0x3c, 0, 0, 0, // mov eax, SYS_exit
	0x0f, 0x05, // syscall
	0x90, // function: nop
	0xc3, // ret
}

// canaryRules refuse system calls 335 (uretprobe) and 336 (uprobe) with EPERM.
var canaryRules = []unix.SockFilter{
	{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS},
	{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: 335, Jt: 2},
	{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: 336, Jt: 1},
	{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)},
}

// canaryELF builds the canary's executable.
func canaryELF() []byte {
	var rules bytes.Buffer
	for _, rule := range canaryRules {
		_ = binary.Write(&rules, binary.LittleEndian, rule) // into memory: cannot fail
	}
	size := uint64(canaryFilter + rules.Len())
	file := make([]byte, size)
	copy(file, "\x7fELF\x02\x01\x01")
	le := binary.LittleEndian
	le.PutUint16(file[16:], 2)  // ET_EXEC
	le.PutUint16(file[18:], 62) // EM_X86_64
	le.PutUint32(file[20:], 1)
	le.PutUint64(file[24:], canaryBase+canaryCode) // entry
	le.PutUint64(file[32:], 64)                    // program headers
	le.PutUint16(file[52:], 64)
	le.PutUint16(file[54:], 56)
	le.PutUint16(file[56:], 1)
	le.PutUint32(file[64:], 1) // PT_LOAD
	le.PutUint32(file[68:], 5) // read, execute
	le.PutUint64(file[80:], canaryBase)
	le.PutUint64(file[88:], canaryBase)
	le.PutUint64(file[96:], size)
	le.PutUint64(file[104:], size)
	le.PutUint64(file[112:], 0x1000)
	copy(file[canaryCode:], canaryText)
	le.PutUint16(file[canaryProgram:], uint16(len(canaryRules)))
	le.PutUint64(file[canaryProgram+8:], canaryBase+canaryFilter)
	copy(file[canaryFilter:], rules.Bytes())
	return file
}

// judgeReturnProbes runs the canary under a return probe of the mechanism. An
// error means that the mechanism does not attach. A canary that cannot be run
// proves nothing: return probes are off then.
func judgeReturnProbes(mechanism Mechanism) (verdict, error) {
	fd, err := memoryFile()
	if err != nil {
		return verdict{}, fmt.Errorf("creating canary: %w", err)
	}
	defer unix.Close(fd)
	if _, err := unix.Write(fd, canaryELF()); err != nil {
		return verdict{}, fmt.Errorf("writing canary: %w", err)
	}
	survived, err := runCanary(mechanism, fmt.Sprintf("/proc/self/fd/%d", fd))
	if errors.Is(err, errNotRun) {
		survived, err = runCanaryFile(mechanism, err)
	}
	switch {
	case errors.Is(err, errNotRun):
		return verdict{reason: err.Error()}, nil
	case err != nil:
		return verdict{}, err
	case !survived:
		return verdict{reason: "a return probe killed the canary, a process under seccomp"}, nil
	}
	return verdict{safe: true}, nil
}

// errNotRun says that the canary could be probed but not be executed.
var errNotRun = errors.New("the canary for return probes cannot be run")

// memoryFile creates an anonymous file, executable where that is allowed
// (vm.memfd_noexec). Linux before 6.3 rejects the flags as invalid, and knows no
// other files than executable ones.
func memoryFile() (fd int, err error) {
	for _, flags := range []int{unix.MFD_EXEC, 0, unix.MFD_NOEXEC_SEAL} {
		fd, err = unix.MemfdCreate("gpucause-canary", unix.MFD_CLOEXEC|flags)
		if err == nil {
			return fd, nil
		}
	}
	return -1, err
}

// runCanaryFile runs the canary as a file among the temporary ones; inMemory is
// why it did not run without.
func runCanaryFile(mechanism Mechanism, inMemory error) (bool, error) {
	path, err := temporaryFile()
	if err != nil {
		return false, fmt.Errorf("%w; %w", inMemory, err)
	}
	defer func() { _ = os.Remove(path) }()
	survived, err := runCanary(mechanism, path)
	if err != nil {
		return false, fmt.Errorf("%w; %w", inMemory, err)
	}
	return survived, nil
}

// temporaryFile writes the canary, executable for its owner only.
func temporaryFile() (path string, err error) {
	file, err := os.CreateTemp("", "gpucause-canary-*")
	if err != nil {
		return "", fmt.Errorf("creating canary: %w", err)
	}
	_, err = file.Write(canaryELF())
	err = errors.Join(err, file.Chmod(0o700), file.Close())
	if err != nil {
		_ = os.Remove(file.Name())
		return "", fmt.Errorf("writing canary: %w", err)
	}
	return file.Name(), nil
}

// runCanary reports whether the canary at path survives its return probe.
func runCanary(mechanism Mechanism, path string) (survived bool, err error) {
	attached, err := attachEmpty(mechanism, path, canaryFunction)
	if err != nil {
		return false, err
	}
	defer attached.Close()
	err = exec.Command(path).Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode() == canarySurvived, nil
	}
	if err != nil {
		return false, fmt.Errorf("%w: %w", errNotRun, err)
	}
	return false, nil
}
