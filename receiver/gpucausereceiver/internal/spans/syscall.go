package spans

// syscallNames returns the names of the system calls in which threads of GPU
// programs wait, by number (arch/x86/entry/syscalls/syscall_64.tbl,
// include/uapi/asm-generic/unistd.h).
func syscallNames(arch string) map[int32]string {
	switch arch {
	case "amd64":
		return syscallsAMD64
	case "arm64":
		return syscallsARM64
	default:
		return nil
	}
}

var syscallsAMD64 = map[int32]string{
	0: "read", 1: "write", 7: "poll", 9: "mmap", 10: "mprotect", 11: "munmap", 12: "brk",
	16: "ioctl", 17: "pread64", 18: "pwrite64", 19: "readv", 20: "writev", 23: "select",
	24: "sched_yield", 25: "mremap", 26: "msync", 28: "madvise", 34: "pause", 35: "nanosleep",
	40: "sendfile", 42: "connect", 43: "accept", 44: "sendto", 45: "recvfrom", 46: "sendmsg", 47: "recvmsg",
	56: "clone", 57: "fork", 58: "vfork", 59: "execve", 60: "exit", 61: "wait4",
	74: "fsync", 75: "fdatasync", 128: "rt_sigtimedwait", 130: "rt_sigsuspend",
	202: "futex", 230: "clock_nanosleep", 231: "exit_group", 232: "epoll_wait", 247: "waitid",
	257: "openat", 270: "pselect6", 271: "ppoll", 275: "splice", 281: "epoll_pwait", 285: "fallocate", 288: "accept4",
	295: "preadv", 296: "pwritev", 299: "recvmmsg", 307: "sendmmsg", 326: "copy_file_range",
	426: "io_uring_enter", 435: "clone3", 441: "epoll_pwait2", 449: "futex_waitv", 455: "futex_wait",
}

var syscallsARM64 = map[int32]string{
	22: "epoll_pwait", 29: "ioctl", 47: "fallocate", 56: "openat", 63: "read", 64: "write",
	65: "readv", 66: "writev", 67: "pread64", 68: "pwrite64", 69: "preadv", 70: "pwritev", 71: "sendfile",
	72: "pselect6", 73: "ppoll", 76: "splice", 82: "fsync", 83: "fdatasync", 93: "exit", 94: "exit_group", 95: "waitid",
	98: "futex", 101: "nanosleep", 115: "clock_nanosleep", 124: "sched_yield", 133: "rt_sigsuspend", 137: "rt_sigtimedwait",
	202: "accept", 203: "connect", 206: "sendto", 207: "recvfrom", 211: "sendmsg", 212: "recvmsg",
	214: "brk", 215: "munmap", 216: "mremap", 220: "clone", 221: "execve", 222: "mmap", 226: "mprotect", 227: "msync",
	233: "madvise", 242: "accept4", 243: "recvmmsg", 260: "wait4", 269: "sendmmsg", 285: "copy_file_range",
	426: "io_uring_enter", 435: "clone3", 441: "epoll_pwait2", 449: "futex_waitv", 455: "futex_wait",
}
