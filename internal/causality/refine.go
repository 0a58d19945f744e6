package causality

import (
	"slices"
	"strings"

	"github.com/gpucause/gpucause/internal/event"
)

// refinement is the rule that a function whose name begins with prefix, in the
// stack, tells the reason.
type refinement struct {
	prefix string
	reason event.OffCPUReason
	from   []event.OffCPUReason // reasons that it refines
}

// Reasons that a system call's number leaves open. in_iowait (ReasonIO) and the
// calls with one meaning (futex, poll, sleep, wait) are better evidence than a stack.
var (
	vague     = []event.OffCPUReason{event.ReasonUnspecified, event.ReasonOther, event.ReasonRead, event.ReasonSocket, event.ReasonIoctl}
	inMemory  = []event.OffCPUReason{event.ReasonUnspecified, event.ReasonOther, event.ReasonRead, event.ReasonIoctl, event.ReasonMemoryMap, event.ReasonPageFault}
	noSyscall = []event.OffCPUReason{event.ReasonUnspecified, event.ReasonPageFault}
)

// refinements are functions of the Linux kernel (5.15-6.18). The innermost
// frame with a match decides.
var refinements = []refinement{
	{"pipe_read", event.ReasonPipe, vague},
	{"pipe_write", event.ReasonPipe, vague},
	{"pipe_wait_", event.ReasonPipe, vague},
	{"anon_pipe_read", event.ReasonPipe, vague},
	{"anon_pipe_write", event.ReasonPipe, vague},
	{"fifo_open", event.ReasonPipe, vague},
	{"wait_for_partner", event.ReasonPipe, vague},

	{"rwsem_down_", event.ReasonRWSem, inMemory},
	{"__down_read", event.ReasonRWSem, inMemory},
	{"__down_write", event.ReasonRWSem, inMemory},

	{"io_schedule", event.ReasonIO, inMemory},
	{"folio_wait_", event.ReasonIO, inMemory},
	{"wait_on_page_bit", event.ReasonIO, inMemory},
	{"blk_mq_get_tag", event.ReasonIO, inMemory},
	{"jbd2_log_wait_commit", event.ReasonIO, inMemory},

	{"unix_stream_", event.ReasonSocket, vague},
	{"unix_dgram_", event.ReasonSocket, vague},
	{"tcp_recvmsg", event.ReasonSocket, vague},
	{"tcp_sendmsg", event.ReasonSocket, vague},
	{"udp_recvmsg", event.ReasonSocket, vague},
	{"sk_wait_data", event.ReasonSocket, vague},
	{"sk_stream_wait_", event.ReasonSocket, vague},
	{"inet_csk_accept", event.ReasonSocket, vague},
	{"sock_", event.ReasonSocket, vague},

	{"futex_wait", event.ReasonFutex, vague},
	{"futex_lock_pi", event.ReasonFutex, vague},

	{"do_poll", event.ReasonPoll, vague},
	{"do_sys_poll", event.ReasonPoll, vague},
	{"do_select", event.ReasonPoll, vague},
	{"ep_poll", event.ReasonPoll, vague},
	{"do_epoll_wait", event.ReasonPoll, vague},

	{"hrtimer_nanosleep", event.ReasonSleep, vague},

	{"handle_mm_fault", event.ReasonPageFault, noSyscall},
	{"filemap_fault", event.ReasonPageFault, noSyscall},
	{"handle_userfault", event.ReasonPageFault, noSyscall},
}

// RefineReason returns a more exact reason when the stack, innermost function
// first, tells one; otherwise reason itself. Runnable is
// never refined: stacks are taken of blocked threads.
func RefineReason(reason event.OffCPUReason, symbols []string) event.OffCPUReason {
	for _, symbol := range symbols {
		for n := range refinements {
			if r := &refinements[n]; strings.HasPrefix(symbol, r.prefix) && slices.Contains(r.from, reason) {
				return r.reason
			}
		}
	}
	return reason
}
