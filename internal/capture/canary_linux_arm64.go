package capture

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// judgeReturnProbes finds them safe: on arm64 a return probe makes no system call
// in the probed process, so no seccomp filter can object. An error means that the
// mechanism does not attach, which its programs' loading does not tell: before
// Linux 6.6 uprobe-multi programs load, too. Nobody runs the file that is probed.
func judgeReturnProbes(mechanism Mechanism) (verdict, error) {
	fd, err := unix.MemfdCreate("gpucause-canary", unix.MFD_CLOEXEC)
	if err != nil {
		return verdict{}, fmt.Errorf("creating canary: %w", err)
	}
	defer unix.Close(fd)
	const nop, instruction = "\x1f\x20\x03\xd5", 4
	if _, err := unix.Write(fd, []byte(nop+nop)); err != nil {
		return verdict{}, fmt.Errorf("writing canary: %w", err)
	}
	attached, err := attachEmpty(mechanism, fmt.Sprintf("/proc/self/fd/%d", fd), instruction)
	if err != nil {
		return verdict{}, err
	}
	return verdict{safe: true}, attached.Close()
}
