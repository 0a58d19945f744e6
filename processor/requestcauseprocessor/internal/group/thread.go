package group

import (
	"slices"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/process"
)

// Threads says whether stalls of a thread are known, by its number in the host's
// PID namespace.
type Threads func(of process.ID, tid int64) bool

// DecideThread says which thread a span is of that names it by host and number,
// and that a sender has sent for which there is a decision. Where the thread cannot
// be told, it is that decision that counts.
func (v *View) DecideThread(hostID string, tid int64, from *process.Sender, sender Decision, known Threads) Decision {
	if !v.allows[EvidenceThread] || tid == 0 {
		return sender
	}
	found := slices.DeleteFunc(v.threads(hostID, tid, known), func(t thread) bool { return contradicted(t.of, from, &sender) })
	if len(numbers(found)) > 1 && sender.Outcome == Resolved {
		found = slices.DeleteFunc(found, func(t thread) bool { return !sender.has(t.of.ID) })
	}
	if len(found) == 0 {
		found = v.mainThreads(sender, tid)
	}
	switch len(numbers(found)) {
	case 0:
		return sender
	case 1:
		return v.threadOf(found)
	}
	return Decision{Outcome: Ambiguous, Evidence: EvidenceThread}
}

// contradicted reports whether what is known of the sender says that t is not its
// process. The number of a nested one is that of many others, too.
func contradicted(t *process.Traced, from *process.Sender, sender *Decision) bool {
	q := question{Sender: from}
	return t.Nested() && (q.differs(t.ContainerID, t.PodUID) || sender.Outcome == Resolved && !sender.has(t.ID))
}

// threadOf decides for a thread. It may have been seen as one of several
// processes: the same one, before and after it executed another program.
func (v *View) threadOf(found []thread) Decision {
	var members []*process.Traced
	for _, t := range found {
		members = append(members, t.of)
	}
	d := v.resolved(members, EvidenceThread)
	d.Scope, d.TID = ScopeThread, found[0].tid
	return d
}

// mainThreads returns the main threads of the sender's group with the number. In
// a container the host's id is often not the machine's.
func (v *View) mainThreads(sender Decision, tid int64) []thread {
	var found []thread
	for _, t := range v.Traced {
		if sender.has(t.ID) && t.OwnPID() == tid {
			found = append(found, thread{of: t, tid: t.PID})
		}
	}
	return found
}

// thread is a thread of a traced process, by its number in the host's PID namespace.
type thread struct {
	of  *process.Traced
	tid int64
}

// numbers returns the different threads among found.
func numbers(found []thread) []int64 {
	var tids []int64
	for _, t := range found {
		if !slices.Contains(tids, t.tid) {
			tids = append(tids, t.tid)
		}
	}
	return tids
}

// threads returns the threads on a host that have the number. A main thread has
// its process's number; of others only those with stalls are known. In a PID
// namespace other than the host's only main threads can be told.
func (v *View) threads(hostID string, tid int64, known Threads) []thread {
	var found []thread
	for _, t := range v.Traced {
		switch {
		case t.HostID != hostID:
		case t.OwnPID() == tid:
			found = append(found, thread{of: t, tid: t.PID})
		case !t.Nested() && known(t.ID, tid):
			found = append(found, thread{of: t, tid: tid})
		}
	}
	return found
}
