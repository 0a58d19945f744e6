package group

import (
	"cmp"
	"slices"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/process"
)

// byContainer looks for the only server in the sender's container: the one that
// its resource names, or that of the process that it has been seen to be.
func (v *View) byContainer(q *question) (Decision, bool) {
	members := v.filter(func(t *process.Traced) bool {
		return !q.differs(t.ContainerID, t.PodUID) && v.together(q, t)
	})
	return v.one(members, q.Sender, EvidenceContainer)
}

// together reports whether the sender is in the container of a traced process or,
// where that is not known, in its pod. A pod has other containers: a sender that
// has been seen in its network and is of no server there may be in one of these.
func (v *View) together(q *question, t *process.Traced) bool {
	if container := cmp.Or(q.container, q.ContainerID); container != "" && t.ContainerID != "" {
		return sameContainer(container, t.ContainerID)
	}
	return q.shares("", t.PodUID) && (!q.apart(t) || !v.hasAddress(q, t))
}

// byAddress looks whose network the sender's address is of, where that is not
// the network of this machine itself. A network may have many processes, so that
// it tells nothing of a sender that has been seen outside of the container.
func (v *View) byAddress(q *question) (Decision, bool) {
	members := v.filter(func(t *process.Traced) bool {
		return v.hasAddress(q, t) && !q.apart(t) && !q.differs(t.ContainerID, t.PodUID)
	})
	return v.one(members, q.Sender, EvidenceAddress)
}

// hasAddress reports whether the sender's address is that of a traced process's
// network.
func (v *View) hasAddress(q *question, t *process.Traced) bool {
	return v.seen(t) && v.ownsAddress(q, v.tree.relatives[t.PID])
}

// ownsAddress reports whether the sender's address is that of a process's
// network, which is not this machine's.
func (v *View) ownsAddress(q *question, r *process.Relative) bool {
	address := q.Peer.Addr.Addr()
	return address.IsValid() && !address.IsLoopback() && r.OwnNetwork && slices.Contains(r.Addresses, address)
}

// apart reports whether the sender has been seen, and is not in a traced process's
// container.
func (q *question) apart(t *process.Traced) bool {
	return q.elsewhere && (q.container == "" || !sameContainer(q.container, t.ContainerID))
}

// differs reports whether the sender is certainly in another container or pod.
func (q *question) differs(container, pod string) bool {
	return container != "" && q.ContainerID != "" && !sameContainer(container, q.ContainerID) ||
		pod != "" && q.PodUID != "" && pod != q.PodUID
}

// shares reports whether the sender is certainly in that container or pod.
func (q *question) shares(container, pod string) bool {
	if container != "" && q.ContainerID != "" {
		return sameContainer(container, q.ContainerID)
	}
	return pod != "" && pod == q.PodUID
}

// shortID is the length of an abbreviated container id.
const shortID = 12

func sameContainer(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	return a == b || len(a) >= shortID && b[:len(a)] == a
}
