package capture

import "golang.org/x/sys/unix"

// System calls that arm64 does not have.
var (
	pollSyscalls  = []int{unix.SYS_POLL, unix.SYS_SELECT, unix.SYS_EPOLL_WAIT}
	pauseSyscalls = []int{unix.SYS_PAUSE}
)
