package collective

import (
	"encoding/binary"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/probe"
)

// Unknown is a rank or size that is not known.
const Unknown = -1

// noColour is NCCL_SPLIT_NOCOLOR: the rank is in no child.
const noColour = -1

// Communicator is one rank's end of a communicator.
type Communicator struct {
	Process event.ProcessID
	Serial  event.Serial
	Handle  uint64 // ncclComm_t: an address in the process
	Key     Key
	Size    int  // ranks, or Unknown
	Rank    int  // this one's, or Unknown: never a guess
	Late    bool // it was there before it was traced: sequences are not known

	identity [event.IdentitySize]byte // unique id that it was made from, if any
	initAll  uint64                   // how-manieth ncclCommInitAll of its process made it
	cut      uint32                   // its operations up to this number complete no more
}

// Identity returns the unique id that the communicator was made from.
func (c *Communicator) Identity() (id [event.IdentitySize]byte, ok bool) {
	return c.identity, hasIdentity(&c.identity)
}

// Complete reports whether rank, size and key are known.
func (c *Communicator) Complete() bool {
	return c.Key.Known() && c.Rank != Unknown && c.Size != Unknown
}

// born makes a communicator from the record of the call that made it.
func (t *Tracker) born(r *event.Communicator, row *probe.Probe) *Communicator {
	c := &Communicator{
		Process: r.Process, Serial: r.Serial, Handle: r.Handle,
		Size: Unknown, Rank: Unknown,
	}
	switch row.Role {
	case probe.RoleBegins:
		c.fromUniqueID(r, row)
	case probe.RoleBeginsAll:
		c.fromProcess(r, row, t)
	case probe.RoleDerives:
		t.derive(c, r, row)
	default:
		c.Late = true
	}
	return c
}

// argument returns an int argument of the call, or Unknown.
func argument(r *event.Communicator, slot uint8) int {
	if int(slot) >= len(r.Args) {
		return Unknown
	}
	return int(int32(r.Args[slot]))
}

func (c *Communicator) fromUniqueID(r *event.Communicator, row *probe.Probe) {
	c.Size, c.Rank = argument(r, row.Communicator.Size), argument(r, row.Communicator.Rank)
	if c.identity = r.Identity; hasIdentity(&c.identity) {
		c.Key = uniqueIDKey(&c.identity)
	}
}

func (c *Communicator) fromProcess(r *event.Communicator, row *probe.Probe, t *Tracker) {
	c.Size, c.Rank = argument(r, row.Communicator.Size), int(r.Value)
	if c.Rank == 0 {
		t.initAlls[r.Process]++
	}
	c.initAll = t.initAlls[r.Process]
	c.Key = originProcess.key([]byte(t.settings.HostID), number(uint64(r.Process.PID)), number(uint64(r.Process.Start)), number(c.initAll))
}

// derive makes a communicator from its parent: a split's ranks are numbered by
// NCCL, which is not known here; of the others they follow from the arguments.
func (t *Tracker) derive(c *Communicator, r *event.Communicator, row *probe.Probe) {
	parent := t.communicators[commKey{r.Process.PID, r.Parent}]
	switch {
	case row.Communicator.Colour != probe.NoSlot:
		t.split(c, parent, r, row)
	case row.Communicator.IdentityCount != probe.NoSlot:
		t.shrink(c, parent, r, row)
	default:
		t.grow(c, parent, r, row)
	}
}

func (t *Tracker) split(c, parent *Communicator, r *event.Communicator, row *probe.Probe) {
	if canName(parent) {
		colour := argument(r, row.Communicator.Colour)
		c.Key = originSplit.key(parent.Key[:], number(r.Value), number(uint64(colour)))
	}
}

// leftOut reports whether a split gives its rank no child. In a group it has a
// handle until the group ends.
func leftOut(r *event.Communicator, row *probe.Probe) bool {
	return row.Communicator.Colour != probe.NoSlot && argument(r, row.Communicator.Colour) == noColour
}

// canName reports whether the children of a communicator are numbered alike on
// all its ranks: all were counted.
func canName(parent *Communicator) bool {
	return parent != nil && parent.Key.Known() && !parent.Late
}

// maxExcluded is how many ranks the list that a shrink excludes is read of.
const maxExcluded = event.IdentitySize / 4

func (t *Tracker) shrink(c, parent *Communicator, r *event.Communicator, row *probe.Probe) {
	if canName(parent) {
		c.Key = originShrink.key(parent.Key[:], number(r.Value))
	}
	n := argument(r, row.Communicator.IdentityCount)
	if parent == nil || parent.Rank == Unknown || parent.Size == Unknown || n < 0 || n > maxExcluded {
		return
	}
	c.Size, c.Rank = parent.Size-n, parent.Rank
	for i := range n {
		if excluded := int(int32(binary.LittleEndian.Uint32(r.Identity[4*i:]))); excluded < parent.Rank {
			c.Rank--
		}
	}
}

// growth is one ncclCommGrow of a communicator.
type growth struct {
	parent Key
	child  uint64
}

// grow makes a larger communicator. The new ranks and the root have its unique
// id; the other old ranks are known by the root, if that is on this host.
func (t *Tracker) grow(c, parent *Communicator, r *event.Communicator, row *probe.Probe) {
	c.Size, c.Rank = argument(r, row.Communicator.Size), argument(r, row.Communicator.Rank)
	if c.Rank < 0 {
		c.Rank = Unknown
		if parent != nil {
			c.Rank = parent.Rank
		}
	}
	named := hasIdentity(&r.Identity)
	if named {
		c.identity, c.Key = r.Identity, uniqueIDKey(&r.Identity)
	}
	if !canName(parent) {
		return
	}
	g := growth{parent: parent.Key, child: r.Value}
	if named {
		t.noteGrowth(g, c.Key)
	} else {
		c.Key = t.growths[g]
		t.waitForGrowth(g, c)
	}
}

// Follows reports whether a communicator is there.
func (t *Tracker) Follows(c *Communicator) bool {
	return t.communicators[commKey{c.Process.PID, c.Serial}] == c
}

// Resolve applies what was read of a communicator in its process's memory: the
// rank, the number of ranks, and NCCL's own hash of it.
func (t *Tracker) Resolve(pid event.PID, serial event.Serial, read Read) {
	c := t.communicators[commKey{pid, serial}]
	if c == nil {
		return
	}
	key := Key{}
	if read.Hash != 0 {
		key = HashKey(read.Hash)
	}
	t.learn(c, read.Rank, read.Size, key)
}

// learn applies what was not known of a communicator. Which operations those are
// that it issued before may now be known, too.
func (t *Tracker) learn(c *Communicator, rank, size int, key Key) {
	before := *c
	if c.Rank == Unknown {
		c.Rank = rank
	}
	if c.Size == Unknown {
		c.Size = size
	}
	if !c.Key.Known() {
		c.Key = key
	}
	if c.Rank == before.Rank && c.Key == before.Key {
		return
	}
	for _, o := range t.pending {
		if o.Communicator == c && o.Enqueued != 0 {
			t.identify(o)
		}
	}
}

// Read is what a process's memory says of a communicator.
type Read struct {
	Hash       uint64 // ncclComm.commHash; 0: not filled in yet
	Rank, Size int
}

// tell applies what the program was told of a communicator.
func (t *Tracker) tell(c *Communicator, r *event.Communicator, row *probe.Probe) {
	rank, size, value := Unknown, Unknown, int(int32(r.Value))
	if row.Communicator.Rank != probe.NoSlot {
		rank = value
	}
	if row.Communicator.Size != probe.NoSlot {
		size = value
	}
	t.learn(c, rank, size, Key{})
}
