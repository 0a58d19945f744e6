package causality_test

import (
	"strings"
	"testing"

	"github.com/gpucause/gpucause/internal/causality"
	"github.com/gpucause/gpucause/internal/event"
)

func TestRefineReason(t *testing.T) {
	for _, c := range []struct {
		reason event.OffCPUReason
		stack  string // innermost first
		want   event.OffCPUReason
	}{
		{event.ReasonRead, "schedule pipe_read vfs_read ksys_read", event.ReasonPipe},
		{event.ReasonRead, "schedule anon_pipe_write vfs_write", event.ReasonPipe},
		{event.ReasonRead, "schedule_timeout unix_stream_read_generic sock_recvmsg sock_read_iter", event.ReasonSocket},
		{event.ReasonRead, "io_schedule folio_wait_bit_common filemap_read", event.ReasonIO},
		{event.ReasonMemoryMap, "schedule rwsem_down_write_slowpath down_write_killable __vm_munmap", event.ReasonRWSem},
		{event.ReasonIoctl, "schedule rwsem_down_read_slowpath", event.ReasonRWSem},
		{event.ReasonOther, "schedule futex_wait_queue futex_wait do_futex", event.ReasonFutex},
		{event.ReasonOther, "schedule_hrtimeout_range_clock ep_poll do_epoll_wait", event.ReasonPoll},
		{event.ReasonUnspecified, "schedule handle_mm_fault do_user_addr_fault", event.ReasonPageFault},
		{event.ReasonUnspecified, "io_schedule filemap_fault handle_mm_fault", event.ReasonIO},

		{event.ReasonFutex, "schedule pipe_read", event.ReasonFutex},                   // the call's number is better evidence
		{event.ReasonRead, "schedule handle_mm_fault vfs_read", event.ReasonRead},      // inside a system call
		{event.ReasonPreempted, "schedule pipe_read", event.ReasonPreempted},           // runnable stays runnable
		{event.ReasonOther, "schedule do_wait_for_common wait_for", event.ReasonOther}, // nothing known
		{event.ReasonRead, "", event.ReasonRead},
	} {
		if got := causality.RefineReason(c.reason, strings.Fields(c.stack)); got != c.want {
			t.Errorf("%s with %q is %s, want %s", c.reason, c.stack, got, c.want)
		}
	}
}

func TestEveryReasonKeepsItsKind(t *testing.T) {
	for _, symbol := range []string{"pipe_read", "io_schedule", "throttle_cfs_rq", "handle_mm_fault", "rwsem_down_", "futex_wait", "sock_"} {
		for r := range event.Reasons {
			if got := causality.RefineReason(r, []string{symbol}); got.Runnable() != r.Runnable() {
				t.Errorf("%s turned %s into %s", symbol, r, got)
			}
		}
	}
}
