package collective

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
)

// Whether an operation is sampled, and who its other ranks are, does not depend on
// when the program is told the rank.
func TestRanksThatAreKnownLater(t *testing.T) {
	const operations = 20
	h := newHost(t, Settings{SampleEvery: 3})
	for rank := range 2 {
		pid := 100 + rank
		h.begin(pid, 1, "id", 2, rank)
		h.split(pid, 2, 1)
		if rank == 0 {
			h.know(pid, 2, rank, 2)
		}
		for n := range uint32(operations) {
			i := issue{pid: pid, symbol: "ncclAllReduce", serial: 2, operation: n + 1, sequence: uint64(n) + 1, end: ktime.Time(10+10*n+5*uint32(rank)) * ms}
			h.issue(i)
			i.symbol, i.peer, i.operation = []string{"ncclRecv", "ncclSend"}[rank], 1-rank, operations+n+1
			h.issue(i)
		}
		if rank == 1 {
			h.know(pid, 2, rank, 2)
		}
	}
	sampled := map[string]int{}
	h.tracker.Advance(farFuture, Handler{Told: func(o *Operation) {
		assert.Len(t, o.Ranks(), 2, "%s #%d", o.Name(), o.Sequence)
		_, late, known := o.WaitedFor()
		assert.Equal(t, o.Communicator.Rank == 0, late, "%s #%d", o.Name(), o.Sequence)
		assert.True(t, known)
		if o.Sampled {
			sampled[o.Name()]++
		}
	}})
	assert.Equal(t, sampled["Send"], sampled["Recv"])
	assert.Positive(t, sampled["Send"])
	assert.Positive(t, sampled["AllReduce"])
	assert.Zero(t, sampled["AllReduce"]%2)
}

// Of a rank that is not known it is not told who waited for it.
func TestRanksThatAreNotKnown(t *testing.T) {
	h := newHost(t, Settings{SampleEvery: 1})
	for rank := range 2 {
		h.begin(100+rank, 1, "id", 2, rank)
		h.split(100+rank, 2, 1)
		h.issue(issue{pid: 100 + rank, symbol: "ncclAllReduce", serial: 2, operation: 1, sequence: 1, end: ktime.Time(10+10*rank) * ms})
	}
	h.know(100, 2, 0, 2)
	for _, o := range h.advance(farFuture) {
		assert.True(t, o.Sampled)
		assert.Len(t, o.Ranks(), 2)
		_, late, known := o.WaitedFor()
		assert.False(t, late || known)
	}
}

// A rank whose enqueue is only bounded makes no statement about who was late.
func TestNonBlockingCommunicators(t *testing.T) {
	h := newHost(t, Settings{})
	for rank := range 2 {
		h.begin(100+rank, 1, "id", 2, rank)
	}
	h.issue(issue{pid: 100, symbol: "ncclAllReduce", serial: 1, operation: 1, sequence: 1, end: 10 * ms})
	h.issue(issue{pid: 101, symbol: "ncclAllReduce", serial: 1, operation: 1, sequence: 1, end: 20 * ms, result: 7})
	h.sync(100, 11*ms, 30*ms, event.Completed{Serial: 1, Operation: 1})
	told := h.advance(farFuture)
	assert.True(t, told[1].AtLeast)
	assert.False(t, told[1].Failed())
	_, ok, _ := told[0].WaitedFor()
	assert.False(t, ok)
	_, known := told[0].PeerWait()
	assert.False(t, known, "the other rank may have been queued at any time since")
}

// The ranks that a shrink leaves are numbered without the others.
func TestShrink(t *testing.T) {
	h := newHost(t, Settings{})
	h.begin(100, 1, "id", 8, 5)
	p := row(t, "ncclCommShrink")
	r := event.Communicator{Process: processOf(100), Task: taskOf(100), Probe: p.ID, Serial: 2, Parent: 1, Value: 1}
	for i, excluded := range []uint32{7, 1, 3} {
		binary.LittleEndian.PutUint32(r.Identity[4*i:], excluded)
	}
	r.Args[p.Communicator.IdentityCount] = 3
	c := h.communicator(r)
	assert.Equal(t, 5, c.Size)
	assert.Equal(t, 3, c.Rank)
	assert.True(t, c.Complete())

	r.Serial, r.Value = 3, 2
	r.Args[p.Communicator.IdentityCount] = 33 // the list is longer than what is read
	c2 := h.communicator(r)
	assert.Equal(t, Unknown, c2.Rank)
	assert.NotEqual(t, c.Key, c2.Key)
}

// The children of a split have the same key on all ranks of a colour, and their
// rank when the program is told it.
func TestSplit(t *testing.T) {
	p, told := row(t, "ncclCommSplit"), row(t, "ncclCommUserRank")
	keys := map[int]Key{}
	for rank := range 4 {
		h := newHost(t, Settings{})
		h.begin(100, 1, "id", 4, rank)
		r := event.Communicator{Process: processOf(100), Task: taskOf(100), Probe: p.ID, Serial: 2, Parent: 1, Value: 1}
		r.Args[p.Communicator.Colour] = uint64(rank % 2)
		c := h.communicator(r)
		keys[rank] = c.Key
		assert.Equal(t, Unknown, c.Rank)
		h.communicator(event.Communicator{Process: processOf(100), Probe: told.ID, Serial: 2, Value: uint64(rank / 2)})
		h.communicator(event.Communicator{Process: processOf(100), Probe: row(t, "ncclCommCount").ID, Serial: 2, Value: 2})
		assert.Equal(t, rank/2, c.Rank)
		assert.Equal(t, 2, c.Size)
	}
	assert.Equal(t, keys[0], keys[2])
	assert.Equal(t, keys[1], keys[3])
	assert.NotEqual(t, keys[0], keys[1])
}

// Old ranks of a grown communicator keep their rank; the root tells its key, as
// the new ranks do.
func TestGrow(t *testing.T) {
	h := newHost(t, Settings{})
	p := row(t, "ncclCommGrow")
	grown := func(pid int, serial, parent event.Serial, id string, rank int) *Communicator {
		r := event.Communicator{Process: processOf(pid), Task: taskOf(pid), Probe: p.ID, Serial: serial, Parent: parent, Value: 1, Identity: identityOf(id)}
		r.Args[p.Communicator.Size], r.Args[p.Communicator.Rank] = 3, uint64(uint32(rank))
		return h.communicator(r)
	}
	h.begin(100, 1, "id", 2, 0)
	h.begin(101, 1, "id", 2, 1)
	other := grown(101, 2, 1, "", -1)
	assert.False(t, other.Complete())
	root := grown(100, 2, 1, "grown", -1)
	fresh := grown(102, 2, 0, "grown", 2)
	for rank, c := range []*Communicator{root, other, fresh} {
		assert.Equal(t, rank, c.Rank)
		assert.Equal(t, 3, c.Size)
		assert.Equal(t, root.Key, c.Key)
	}
}

// All communicators of one process are its own.
func TestInitAll(t *testing.T) {
	p := row(t, "ncclCommInitAll")
	all := func(h *host, serial event.Serial) (keys [2]Key) {
		for i := range 2 {
			r := event.Communicator{Process: processOf(100), Task: taskOf(100), Probe: p.ID, Serial: serial + event.Serial(i), Value: uint64(i)}
			r.Args[p.Communicator.Size] = 2
			c := h.communicator(r)
			assert.Equal(t, i, c.Rank)
			assert.Equal(t, 2, c.Size)
			keys[i] = c.Key
		}
		return keys
	}
	h := newHost(t, Settings{HostID: "a"})
	first, second := all(h, 1), all(h, 11)
	assert.Equal(t, first[0], first[1])
	assert.Equal(t, second[0], second[1])
	assert.NotEqual(t, first[0], second[0])
	assert.NotEqual(t, first[0], all(newHost(t, Settings{HostID: "b"}), 1)[0])
}
