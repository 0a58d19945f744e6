package group

import (
	"slices"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/process"
)

// Connection is what looking for the process at a sender's end of the
// connection has found.
type Connection struct {
	// PID is the process that has the connection; 0 where it was not found.
	PID int64
	// Foreign is true where the connection is on this machine and is held by
	// none of the relatives: the sender is somebody else.
	Foreign bool
}

// question is a sender, and what is made of it on the way to a decision.
type question struct {
	*process.Sender
	connection Connection
	// elsewhere is true where the sender has been seen, and is of no server that the
	// tree shows. What it shares with one, such as an address or a host, says nothing
	// then, but for the container.
	elsewhere bool
	// container is that of the process that it has been seen to be; empty outside of one.
	container string
}

// Decide says which traced processes serve a sender.
func (v *View) Decide(s *process.Sender, at Connection) Decision {
	q := &question{Sender: s, connection: at, elsewhere: at.Foreign}
	steps := []struct {
		by     Evidence
		decide func(*question) (Decision, bool)
	}{
		{EvidenceStamp, v.byStamp},
		{EvidencePeer, v.byPeer},
		{EvidenceProcess, v.byProcess},
		{EvidenceStartup, v.byStartup},
		{EvidenceContainer, v.byContainer},
		{EvidenceAddress, v.byAddress},
		{EvidenceInstance, v.byInstance},
		{EvidenceHost, v.byHost},
	}
	for _, step := range steps {
		if !v.allows[step.by] {
			continue
		}
		if d, ok := step.decide(q); ok {
			return d
		}
	}
	return Decision{Elsewhere: q.elsewhere && slices.ContainsFunc(v.Traced, v.seen)}
}

func (v *View) byStamp(q *question) (Decision, bool) {
	if q.Stamp == stampNone {
		return Decision{Evidence: EvidenceStamp}, true
	}
	host, pids, ok := parseStamp(q.Stamp)
	if !ok {
		return Decision{}, false
	}
	members := v.filter(func(t *process.Traced) bool { return t.HostID == host && slices.Contains(pids, t.PID) })
	return v.resolved(members, EvidenceStamp), true
}

// byPeer trusts the process that has the connection, unless the resource says
// that another one wrote the spans: then it only passes them on.
func (v *View) byPeer(q *question) (Decision, bool) {
	holder := v.tree.relatives[q.connection.PID]
	if q.connection.PID == 0 || holder == nil || q.speaksOfAnother(holder) {
		return Decision{}, false
	}
	if members := v.servedBy(holder.PID); len(members) > 0 {
		return v.resolved(members, EvidencePeer), true
	}
	q.saw(holder)
	return v.bySibling(q, holder, EvidencePeer)
}

// saw notes that the sender is a process of which the tree shows no server.
func (q *question) saw(r *process.Relative) { q.elsewhere, q.container = true, r.ContainerID }

// bySibling decides for a process that no server is known of: by what its parent
// has started besides it in the same control group, if that declares the sender's
// service. The parent may be a shell, which starts servers and their clients alike.
func (v *View) bySibling(q *question, r *process.Relative, by Evidence) (Decision, bool) {
	if r.ParentPID <= 1 {
		return Decision{}, false
	}
	beside := v.filter(func(t *process.Traced) bool {
		return v.seen(t) && v.tree.within(t.PID, r.ParentPID) &&
			v.tree.relatives[t.PID].ControlPath == r.ControlPath && declares(t, q.Sender)
	})
	d, ok := v.one(beside, q.Sender, by)
	return d, ok && d.Outcome == Resolved
}

// speaksOfAnother reports whether the resource is of a process other than r.
func (q *question) speaksOfAnother(r *process.Relative) bool {
	return q.PID != 0 && q.PID != r.OwnPID || q.differs(r.ContainerID, r.PodUID)
}

func (v *View) byStartup(q *question) (Decision, bool) {
	if q.PID == 0 || v.Startups == nil {
		return Decision{}, false
	}
	started := v.Startups.started(q, v.HostName)
	members := v.filter(func(t *process.Traced) bool {
		return slices.Contains(started, t.OwnPID()) && v.corroborates(q, t)
	})
	return v.one(members, q.Sender, EvidenceStartup)
}

func (v *View) byInstance(q *question) (Decision, bool) {
	if q.ServiceInstance == "" {
		return Decision{}, false
	}
	members := v.filter(func(t *process.Traced) bool { return t.ServiceInstance == q.ServiceInstance })
	return v.one(members, q.Sender, EvidenceInstance)
}

// byHost takes the only group on the sender's host, unless the sender has been
// seen not to be of it. Many programs may share a host, so that of one whose spans
// could be any program's the declared service must be the group's, too.
func (v *View) byHost(q *question) (Decision, bool) {
	members := v.filter(func(t *process.Traced) bool {
		return !v.excluded(q, t) && v.sameHost(q, t) && !q.differs(t.ContainerID, t.PodUID) &&
			(!q.Generic || declares(t, q.Sender))
	})
	return v.one(members, q.Sender, EvidenceHost)
}

// excluded reports whether the relatives of a traced process are known and the
// sender, which says its number or has been looked for, is none of them.
func (v *View) excluded(q *question, t *process.Traced) bool {
	return v.seen(t) && (q.elsewhere || q.PID != 0)
}

// sameHost reports whether the sender says that it is where t is.
func (v *View) sameHost(q *question, t *process.Traced) bool {
	switch {
	case q.HostID != "":
		return q.HostID == t.HostID
	case q.HostName != "":
		return q.HostName == v.hostNameOf(t)
	}
	return q.Peer.SameHost && v.local(t)
}
