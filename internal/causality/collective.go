package causality

import (
	"fmt"
	"time"

	"github.com/gpucause/gpucause/internal/collective"
	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/timeline"
)

// Arrivals finds out why operations of NCCL came late: it compares each with the
// same thread's before on the communicator. It is for one goroutine, and
// deterministic.
type Arrivals struct {
	judge   *Judge
	explain Settings
}

// NewArrivals returns Arrivals that know no thread. An arrival is late when it
// took at least slow, and much longer than is typical, idle or not.
func NewArrivals(slow time.Duration, explain Settings) *Arrivals {
	return &Arrivals{
		judge:   NewJudge(JudgeSettings{MinDuration: slow, Baseline: -1, Mode: ModeAll, Explain: explain}),
		explain: explain,
	}
}

// Explain tells why o came late for its thread, if it did, and remembers it. The
// timeline must know all that happened until o.
func (a *Arrivals) Explain(tl *timeline.Timeline, o *collective.Operation) (collective.Reason, bool) {
	if o.Previous == 0 {
		return collective.Reason{}, false
	}
	window := tl.Window(o.Communicator.Process, o.Task.Thread, o.Previous, o.Enqueued)
	window.Record.Task, window.Record.ID = o.Task, o.Arrivals
	window.Record.Ledger, window.Record.Launches = o.Arrival, o.Launches
	key := judged{process: o.Communicator.Process, tid: o.Task.Thread.TID, communicator: o.Serial}
	verdict := a.judge.judge(tl, key, window)
	if verdict.Kind != KindStall && verdict.Kind != KindIdle {
		return collective.Reason{}, false
	}
	stall := ExplainCycle(tl, window, verdict, a.explain)
	return collective.Reason{Cause: verdict.Cause.String(), Explained: verdict.Explained, Clause: accusation(stall)}, true
}

// Forget forgets the threads of a process that is gone.
func (a *Arrivals) Forget(pid event.PID) { a.judge.Forget(pid) }

// waitedIn tells which collective a dispatcher waited for, and for whom in it.
func waitedIn(s *Stall) string {
	o := s.Collective
	if o == nil {
		return "waiting for a collective" + s.mostIn(isWaiting)
	}
	return "waiting in " + operationName(o) + waitedFor(o)
}

func operationName(o *collective.Operation) string {
	name := o.Row().Function
	if o.Communicator.Size == collective.Unknown {
		return name
	}
	return fmt.Sprintf("%s of %d ranks", name, o.Communicator.Size)
}

// waitedFor names the rank that was waited for, as far as it is certain.
func waitedFor(o *collective.Operation) string {
	peer, known := o.PeerWait()
	switch {
	case o.Cut():
		return fmt.Sprintf(", which did not complete: %d of them came on this host", max(1, len(o.Ranks())))
	case !known:
		return ", for whom is not known on this host"
	}
	last, late, _ := o.WaitedFor()
	switch {
	case !late, last.Enqueued <= o.Wait.Start:
		return ", which all ranks had queued before: the GPUs were behind"
	case peer == 0:
		return fmt.Sprintf("; whether it was for %s is not certain: it was in the call that queued it for %s, until %s after this one's",
			rankName(last.Operation), shown(last.Enqueued.Sub(last.Entered)), shown(last.Lag))
	}
	phrase := fmt.Sprintf("; of the wait of %s at least %s was for %s, which came %s later",
		shown(o.Wait.Duration()), shown(peer), rankName(last.Operation), shown(last.Lag))
	if last.Late.Clause != "" {
		phrase += ": " + last.Late.Clause
	}
	return phrase
}

func rankName(o *collective.Operation) string {
	return fmt.Sprintf("rank %d (%s, pid %d)", o.Communicator.Rank, o.Task.Comm, o.Task.Thread.PID)
}
