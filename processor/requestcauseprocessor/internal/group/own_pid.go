package group

import (
	"slices"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/process"
)

// byProcess looks for the process with the sender's number among the traced
// processes and their relatives. A number in a PID namespace is nearly always 1
// or 7, so that there something else must agree.
func (v *View) byProcess(q *question) (Decision, bool) {
	if q.PID == 0 {
		return Decision{}, false
	}
	senders := v.amongRelatives(q)
	if groups := v.serving(senders); len(groups) == 1 {
		return v.resolved(groups[0], EvidenceProcess), true
	} else if len(groups) > 1 {
		return v.one(slices.Concat(groups...), q.Sender, EvidenceProcess)
	}
	if len(senders) == 1 {
		q.saw(senders[0])
		if d, ok := v.bySibling(q, senders[0], EvidenceProcess); ok {
			return d, true
		}
	}
	return v.one(v.amongTraced(q), q.Sender, EvidenceProcess)
}

// amongRelatives returns each relative that may be the sender.
func (v *View) amongRelatives(q *question) []*process.Relative {
	var senders []*process.Relative
	for _, r := range v.tree.relatives {
		if r.OwnPID == q.PID && v.isSender(q, r) {
			senders = append(senders, r)
		}
	}
	return senders
}

// serving returns the different groups that serve some of these processes.
func (v *View) serving(senders []*process.Relative) [][]*process.Traced {
	var groups [][]*process.Traced
	for _, r := range senders {
		served := v.servedBy(r.PID)
		same := func(other []*process.Traced) bool { return slices.Equal(other, served) }
		if len(served) > 0 && !slices.ContainsFunc(groups, same) {
			groups = append(groups, served)
		}
	}
	return groups
}

// isSender reports whether a relative with the sender's number is the sender.
func (v *View) isSender(q *question, r *process.Relative) bool {
	switch {
	case q.differs(r.ContainerID, r.PodUID) || v.otherHostName(q, r):
		return false
	case q.shares(r.ContainerID, r.PodUID) || v.ownsAddress(q, r):
		return true
	case q.HostName != "" && q.HostName == r.HostName && r.Nested:
		return true
	}
	return !r.Nested && v.here(q)
}

// otherHostName reports whether the sender's host is called otherwise than r's,
// and not as this machine, which whoever configured the sender may have meant.
func (v *View) otherHostName(q *question, r *process.Relative) bool {
	return q.HostName != "" && r.HostName != "" && q.HostName != r.HostName && q.HostName != v.HostName
}

// here reports whether the sender is on this machine: it says so, its connection
// does, or nothing speaks against it and no other machine is known.
func (v *View) here(q *question) bool {
	switch {
	case q.HostID != "":
		return q.HostID == v.HostID
	case q.Peer.SameHost:
		return true
	case q.HostName != "" && q.HostName != v.HostName:
		return false
	}
	return q.HostName != "" || v.oneHost()
}

// amongTraced goes by what the traced processes' resources say, for those whose
// relatives cannot be looked at: the sender is one of them, or the parent.
func (v *View) amongTraced(q *question) []*process.Traced {
	return v.filter(func(t *process.Traced) bool {
		return !v.seen(t) && v.isFamily(t, q.PID) && v.corroborates(q, t)
	})
}

// isFamily reports whether pid is the process itself, its parent, or the number
// of a parent that is traced, too.
func (v *View) isFamily(t *process.Traced, pid int64) bool {
	if t.OwnPID() == pid || !t.Nested() && t.ParentPID == pid {
		return true
	}
	parent := v.byPID[hostPID{t.HostID, t.ParentPID}]
	return parent != nil && parent != t && parent.OwnPID() == pid
}

// corroborates reports whether more than a number says that a traced process is
// where the sender is.
func (v *View) corroborates(q *question, t *process.Traced) bool {
	switch {
	case q.differs(t.ContainerID, t.PodUID):
		return false
	case q.shares(t.ContainerID, t.PodUID):
		return true
	case t.Nested():
		return q.HostName != "" && v.seen(t) && q.HostName == v.tree.relatives[t.PID].HostName
	case q.HostID != "":
		return q.HostID == t.HostID
	case q.HostName != "":
		return q.HostName == t.HostName
	}
	return v.oneHost()
}
