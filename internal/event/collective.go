package event

import (
	"github.com/gpucause/gpucause/internal/ktime"
	"github.com/gpucause/gpucause/internal/probe"
)

// Serial tells a communicator from others of its process, also from later ones
// under the same handle. 0 is none.
type Serial uint32

// IdentitySize is the size of a unique id (ncclUniqueId), in bytes.
const IdentitySize = 128

// Communicator is what the kernel side saw of a communicator: a call that made
// it, ended it or told the program of it, or the first operation on one that was
// there before.
type Communicator struct {
	Process ProcessID
	Task    Task
	Probe   probe.ID // the call
	At      ktime.Time
	Serial  Serial // 0: there was no room for it
	Parent  Serial // of a derived one; 0: not known
	Handle  uint64
	Args    [probe.MaxSlots]uint64 // of the call
	// Value is, of a derived one, the how-manieth child of its parent it is, from
	// 1; of one of several that a call made, its index; of a call that tells, what
	// it told; of one that is cut short, how many operations it had.
	Value uint64
	// Cut: its operations up to Value complete no more.
	Cut bool
	// Identity is the unique id that it was made from, or the list of ranks (int32)
	// that it was derived by; zero where there is none.
	Identity [IdentitySize]byte
}

// Collective is one operation that a thread issued on a communicator: a
// collective, a send or a receive. With Serial 0 it is the end of a thread's
// outermost group, which queues the operations with the same Group.
type Collective struct {
	Task       Task
	Probe      probe.ID
	Start, End ktime.Time // of the call
	Group      uint64     // of the outermost group that it is in, of its thread; 0: it is in none and queued at End
	Serial     Serial
	Operation  uint32 // number among all operations of the communicator, from 1; 0: the call failed
	Sequence   uint64 // number among its collectives, or among the sends or receives with the same peer; 0: not known
	Args       [probe.MaxSlots]uint64
	Result     int32
	CycleStart ktime.Time // of the dispatch cycle that it was issued in; 0: none
	Ledger     Ledger     // of the thread at End, since the ledger began
	Launches   uint32     // of the thread since its latest synchronisation
	Captured   bool       // into a CUDA graph: nothing was queued
}

// MaxDependencies is how many communicators a synchronisation covers at most.
const MaxDependencies = 4

// Completed says that all operations of a communicator up to one are complete.
type Completed struct {
	Serial    Serial // 0: none
	Operation uint32 // 0: none of it was open
}

// Completion says that the host saw operations to be complete that it did not
// know to be: by a synchronisation, or by asking.
type Completion struct {
	Task       Task
	Probe      probe.ID
	Call       uint64 // id
	Start, End ktime.Time
	// Pending is, of a query, the start of the thread's latest query that found
	// the same CUDA event pending: the operations, or other work before it, ended
	// later. 0: none.
	Pending   ktime.Time
	Completed [MaxDependencies]Completed
}
