//go:build amd64 || arm64

package capture

import (
	"golang.org/x/sys/unix"

	"github.com/gpucause/gpucause/internal/event"
)

// reasonSyscalls says why a thread is off-CPU from the system call that it is in.
var reasonSyscalls = map[event.OffCPUReason][]int{
	event.ReasonFutex: {unix.SYS_FUTEX, unix.SYS_FUTEX_WAITV},
	event.ReasonPoll:  append([]int{unix.SYS_PPOLL, unix.SYS_PSELECT6, unix.SYS_EPOLL_PWAIT, unix.SYS_EPOLL_PWAIT2}, pollSyscalls...),
	event.ReasonRead: {
		unix.SYS_READ, unix.SYS_WRITE, unix.SYS_READV, unix.SYS_WRITEV, unix.SYS_PREAD64, unix.SYS_PWRITE64,
		unix.SYS_PREADV, unix.SYS_PWRITEV, unix.SYS_PREADV2, unix.SYS_PWRITEV2, unix.SYS_SPLICE, unix.SYS_SENDFILE,
	},
	event.ReasonIO: {
		unix.SYS_FSYNC, unix.SYS_FDATASYNC, unix.SYS_SYNC_FILE_RANGE, unix.SYS_SYNC, unix.SYS_SYNCFS, unix.SYS_MSYNC,
		unix.SYS_IO_GETEVENTS, unix.SYS_IO_URING_ENTER,
	},
	event.ReasonSocket: {
		unix.SYS_RECVFROM, unix.SYS_RECVMSG, unix.SYS_RECVMMSG, unix.SYS_SENDTO, unix.SYS_SENDMSG, unix.SYS_SENDMMSG,
		unix.SYS_ACCEPT, unix.SYS_ACCEPT4, unix.SYS_CONNECT,
	},
	event.ReasonSleep:     {unix.SYS_NANOSLEEP, unix.SYS_CLOCK_NANOSLEEP},
	event.ReasonYield:     {unix.SYS_SCHED_YIELD},
	event.ReasonIoctl:     {unix.SYS_IOCTL},
	event.ReasonWait:      {unix.SYS_WAIT4, unix.SYS_WAITID},
	event.ReasonSignal:    append([]int{unix.SYS_RT_SIGSUSPEND, unix.SYS_RT_SIGTIMEDWAIT}, pauseSyscalls...),
	event.ReasonMemoryMap: {unix.SYS_MMAP, unix.SYS_MUNMAP, unix.SYS_MPROTECT, unix.SYS_MADVISE, unix.SYS_BRK, unix.SYS_MREMAP},
}

// syscallReasons is reasonSyscalls by system call number.
func syscallReasons() [512]uint8 {
	var reasons [512]uint8
	for reason, numbers := range reasonSyscalls {
		for _, nr := range numbers {
			reasons[nr] = uint8(reason)
		}
	}
	return reasons
}
