package collective

import (
	"slices"
	"time"

	"github.com/gpucause/gpucause/internal/ktime"
	"github.com/gpucause/gpucause/internal/probe"
)

// meetingKey is one operation of a communicator: a collective, or what one rank
// sends to another.
type meetingKey struct {
	communicator Key
	from, to     int // of a send and its receive; both Unknown for a collective
	number       uint64
}

// meeting is an operation with its ranks on this host.
type meeting struct {
	key   meetingKey
	ranks []*Operation
	told  int  // of ranks
	torn  bool // the ranks do not do the same
	begun ktime.Time
}

// pairSize is how many ranks a send and its receive have.
const pairSize = 2

// keyOf returns the meeting that an operation belongs to, if it is known. That of
// a collective is known without the rank, which may be told later.
func keyOf(o *Operation) (key meetingKey, ok bool) {
	c := o.Communicator
	if o.Number() == 0 {
		return meetingKey{}, false
	}
	key = meetingKey{communicator: c.Key, from: Unknown, to: Unknown, number: o.Number()}
	peer, paired := o.Peer()
	if !paired {
		return key, true
	}
	key.from, key.to = c.Rank, peer
	if o.Row().Role == probe.RoleReceives {
		key.from, key.to = peer, c.Rank
	}
	return key, c.Rank != Unknown
}

// Ranks returns the operation's ranks on this host, o among them if they are known.
func (o *Operation) Ranks() []*Operation {
	if o.meeting == nil {
		return nil
	}
	return o.meeting.ranks
}

// join adds a rank.
func (m *meeting) join(o *Operation) {
	if len(m.ranks) > 0 && !m.ranks[0].matches(o) {
		m.torn = true
	}
	m.ranks = append(m.ranks, o)
	o.meeting = m
}

// open reports whether a rank has not seen it complete.
func (m *meeting) open() bool {
	return slices.ContainsFunc(m.ranks, func(o *Operation) bool { return o.Completed == 0 })
}

// complete reports whether all ranks are here.
func (m *meeting) complete() bool { return len(m.ranks) == m.size() }

// size returns how many ranks meet, or Unknown.
func (m *meeting) size() int {
	if m.key.from != Unknown {
		return pairSize
	}
	for _, o := range m.ranks {
		if o.Communicator.Size != Unknown {
			return o.Communicator.Size
		}
	}
	return Unknown
}

// dependence is which ranks others depend on.
type dependence uint8

const (
	onAll     dependence = iota // every rank on every other
	onRoot                      // all on the root
	onOthers                    // the root on all others
	onPartner                   // the receiver on the sender
	onNone                      // none on any: what is sent may be gone before the receiver comes
)

// dependences are of the operations that not every rank depends on every other in.
var dependences = map[string]dependence{
	"ncclBroadcast": onRoot,
	"ncclBcast":     onRoot,
	"ncclScatter":   onRoot,
	"ncclReduce":    onOthers,
	"ncclGather":    onOthers,
	"ncclSend":      onNone,
	"ncclRecv":      onPartner,
}

// needs reports whether an operation cannot complete on o's rank before other has
// been queued.
func (o *Operation) needs(other *Operation) bool {
	if o == other {
		return false
	}
	root, rooted := o.Root()
	switch dependences[o.Row().Function] {
	case onRoot:
		return rooted && other.Communicator.Rank == root
	case onOthers:
		return rooted && o.Communicator.Rank == root
	case onNone:
		return false
	default:
		return true
	}
}

// Last is the rank that another one could not do without, and that came last.
type Last struct {
	*Operation
	Lag time.Duration // after the one that it is compared with
}

// WaitedFor returns the rank that o's could not do without and whose call to queue
// it returned last, if that was after o's own. It is known only where all ranks are
// on this host and known, none is AtLeast, and there is such a rank or no rank
// returned after o: one that did may or may not have been waited for.
func (o *Operation) WaitedFor() (last Last, late, known bool) {
	m := o.meeting
	if m == nil || !m.complete() {
		return Last{}, false, false
	}
	behind := false
	for _, other := range m.ranks {
		if other.AtLeast || other.Communicator.Rank == Unknown {
			return Last{}, false, false
		}
		behind = behind || other.Enqueued > o.Enqueued
		if o.needs(other) && (last.Operation == nil || other.Enqueued > last.Enqueued) {
			last.Operation = other
		}
	}
	if last.Operation == nil || last.Enqueued <= o.Enqueued {
		return Last{}, false, !behind
	}
	last.Lag = last.Enqueued.Sub(o.Enqueued)
	return last, true, true
}

// PeerWait returns how much of o's wait is certainly the doing of the rank of
// [Operation.WaitedFor], because that one had not yet entered the call that queues
// the operation: a lower bound. It is known where WaitedFor is.
func (o *Operation) PeerWait() (wait time.Duration, known bool) {
	if o.Wait == (Wait{}) {
		return 0, false
	}
	return o.peerWait(o.Wait)
}

// peerWait is PeerWait, if w were o's wait.
func (o *Operation) peerWait(w Wait) (wait time.Duration, known bool) {
	last, late, known := o.WaitedFor()
	if !late {
		return 0, known
	}
	return max(0, min(w.End, last.Entered).Sub(w.Start)), true
}

// skew is the time between the first and the last rank's return from the call that
// queued it, of those here.
func (m *meeting) skew() time.Duration {
	first, last := m.ranks[0].Enqueued, m.ranks[0].Enqueued
	for _, o := range m.ranks[1:] {
		first, last = min(first, o.Enqueued), max(last, o.Enqueued)
	}
	return last.Sub(first)
}

// same is what all ranks of an operation have in common.
type same struct {
	operation                  string
	count, datatype, reduction uint64
	root                       int
}

// matches reports whether two ranks of a meeting do the same.
func (o *Operation) matches(other *Operation) bool { return o.same() == other.same() }

func (o *Operation) same() same {
	s := same{operation: o.Name(), count: o.Count(), datatype: o.Datatype()}
	if _, paired := o.Peer(); paired {
		s.operation = "" // one sends, one receives
	}
	s.reduction, _ = o.Reduction()
	s.root, _ = o.Root()
	return s
}
