package collective

import (
	"strings"
	"time"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
	"github.com/gpucause/gpucause/internal/probe"
)

// Operation is one collective, send or receive of one rank. Its fields may be
// read once it is told.
type Operation struct {
	*event.Collective
	Communicator *Communicator

	// Entered and Enqueued are the start and the return of the call that put it on
	// its GPU stream: its own, or the end of the outermost group. It was queued
	// between them. With AtLeast, of a non-blocking communicator, it may have been
	// queued later: only Entered is a bound.
	Entered, Enqueued ktime.Time
	AtLeast           bool
	// Refusal is the end of its group where that failed: it was never queued.
	// Entered is then the start of that call.
	Refusal Refusal

	// Completed is when the host knew that it was complete, an upper bound; 0:
	// it was not seen to complete.
	Completed ktime.Time
	// Pending is when a query last found it, or other work before the same CUDA event,
	// pending: an estimate from when on it may have been complete, and no bound. 0:
	// there was none.
	Pending ktime.Time
	// Wait is the synchronisation that waited for it, as the latest of the
	// operations that it covers; zero where there was none, or it was not the latest.
	Wait Wait

	// Previous is the same thread's operation before on the same communicator;
	// zero where there is none. Arrival is what the thread did since, state by
	// state; it sums to the time between.
	Previous ktime.Time
	Arrival  event.Ledger
	Arrivals uint64 // how-manieth of these it is, where there is one before

	Sampled bool // chosen by its number, so on every rank
	Late    Reason

	meeting *meeting
	with    *Operation // that arrived at once before it; nil: none
	cut     bool       // its communicator was cut short, or its process ended, when it was the first or latest and open
	awaited bool       // it became the first open one after it was told
	due     ktime.Time // when it is told
	place   int        // in the queue
	queued  bool
	phase   phase
	worth   bool // a span, when it was told
}

// phase is how far the telling of an operation has come.
type phase uint8

const (
	untold  phase = iota
	pending       // told without having been seen to complete
	over          // it is not told any more
)

// Refusal is the end of a group that failed; zero where it did not.
type Refusal struct {
	At     ktime.Time
	Result int32
}

// Reason is why an operation came later than is typical of its thread. It is set
// by who explains it; zero where it did not.
type Reason struct {
	Cause     string  // a value of stall.cause
	Explained float64 // 0..1
	Clause    string  // such as "25.1 ms of the excess blocked on storage I/O"
}

// Wait is a synchronisation of the host.
type Wait struct {
	Thread     event.Thread
	Start, End ktime.Time
}

// Duration returns how long the host waited.
func (w *Wait) Duration() time.Duration { return w.End.Sub(w.Start) }

// Row returns the function that issued the operation.
func (o *Operation) Row() *probe.Probe { return probe.Get(o.Probe) }

// Name returns the value of the attribute nccl.operation: the function without its
// prefix; a broadcast in place is a broadcast.
func (o *Operation) Name() string {
	if o.Row().Function == "ncclBcast" {
		return "Broadcast"
	}
	return strings.TrimPrefix(o.Row().Function, "nccl")
}

// Number returns the operation's number among those that all its ranks count
// alike; 0: not known.
func (o *Operation) Number() uint64 {
	if o.Communicator.Late || !o.Communicator.Key.Known() {
		return 0
	}
	return o.Sequence
}

// arg returns an argument, or 0 where the function has none.
func (o *Operation) arg(slot uint8) uint64 {
	if int(slot) >= len(o.Args) {
		return 0
	}
	return o.Args[slot]
}

// Count returns the number of elements, as passed.
func (o *Operation) Count() uint64 { return o.arg(o.Row().Operation.Count) }

// Datatype returns the ncclDataType_t.
func (o *Operation) Datatype() uint64 { return uint64(uint32(o.arg(o.Row().Operation.Datatype))) }

// Stream returns the GPU stream.
func (o *Operation) Stream() uint64 { return o.arg(o.Row().StreamSlot) }

// Reduction returns the ncclRedOp_t, if the function has one.
func (o *Operation) Reduction() (uint64, bool) { return o.optional(o.Row().Operation.Reduction) }

// Root returns the root rank, if the function has one.
func (o *Operation) Root() (int, bool) { return o.rank(o.Row().Operation.Root) }

// Peer returns the rank that is sent to or received from.
func (o *Operation) Peer() (int, bool) { return o.rank(o.Row().Operation.Peer) }

func (o *Operation) rank(slot uint8) (int, bool) {
	value, ok := o.optional(slot)
	return int(int32(value)), ok
}

func (o *Operation) optional(slot uint8) (uint64, bool) {
	if int(slot) >= len(o.Args) {
		return 0, false
	}
	return uint64(uint32(o.Args[slot])), true
}

// perRank are the operations whose count is what each rank contributes or gets.
var perRank = map[string]bool{"ncclAllGather": true, "ncclReduceScatter": true, "ncclAlltoAll": true, "ncclGather": true, "ncclScatter": true}

// Size returns the bytes of the larger of what this rank puts in and gets out: the
// elements times their size, and for operations that count them per rank times
// the ranks. 0: not known.
func (o *Operation) Size() uint64 {
	size := o.Count() * probe.DatatypeSize(o.Datatype())
	if !perRank[o.Row().Function] {
		return size
	}
	if o.Communicator.Size == Unknown {
		return 0
	}
	return size * uint64(o.Communicator.Size)
}

// Duration returns the time from the start of the call that queued the operation
// until the host knew that it was complete: an upper bound of what it took. 0: not
// seen to complete.
func (o *Operation) Duration() time.Duration {
	if o.Completed == 0 {
		return 0
	}
	return max(0, o.Completed.Sub(o.Entered))
}

// Cut reports whether its communicator was cut short (aborted, revoked, or shrunk with the
// abort flag), or its process ended, while it was the first operation that was not
// complete, or the latest.
func (o *Operation) Cut() bool { return o.cut }

// Refused reports whether its group failed.
func (o *Operation) Refused() bool { return o.Refusal != Refusal{} }

// Failed reports whether the call returned an error.
func (o *Operation) Failed() bool { return o.Result != 0 && o.Result != o.Row().Benign }
