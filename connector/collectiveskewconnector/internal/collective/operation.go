package collective

// Operation is what a collective or point-to-point call does.
type Operation uint8

// Operations, named as in nccl.h without their prefix.
const (
	OperationUnknown Operation = iota
	AllReduce
	ReduceScatter
	AllGather
	AlltoAll
	Broadcast
	Scatter
	Reduce
	Gather
	Send
	Recv
	Operations // how many there are
)

// Dependency says whose completion waits for whose enqueue.
type Dependency uint8

// Dependencies. What is not listed may be so on a given machine, but does not
// follow from the operation: a rank in the middle of a broadcast may hold up
// those behind it.
const (
	DependencyNone Dependency = iota
	// AllOnAll: no rank completes before every rank has enqueued.
	AllOnAll
	// AllOnRoot: no rank completes before the root has enqueued.
	AllOnRoot
	// RootOnAll: the root does not complete before every rank has enqueued.
	RootOnAll
	// Pairwise: the receiver does not complete before the sender has enqueued.
	Pairwise
)

var operations = [Operations]struct {
	name       string
	dependency Dependency
}{
	OperationUnknown: {"unknown", DependencyNone},
	AllReduce:        {"AllReduce", AllOnAll},
	ReduceScatter:    {"ReduceScatter", AllOnAll},
	AllGather:        {"AllGather", AllOnAll},
	AlltoAll:         {"AlltoAll", AllOnAll},
	Broadcast:        {"Broadcast", AllOnRoot},
	Scatter:          {"Scatter", AllOnRoot},
	Reduce:           {"Reduce", RootOnAll},
	Gather:           {"Gather", RootOnAll},
	Send:             {"Send", Pairwise},
	Recv:             {"Recv", Pairwise},
}

// ParseOperation returns the operation of a value of nccl.operation, and
// OperationUnknown for what it does not know.
func ParseOperation(name string) Operation {
	for o := OperationUnknown + 1; o < Operations; o++ {
		if operations[o].name == name {
			return o
		}
	}
	return OperationUnknown
}

// String returns the value of nccl.operation.
func (o Operation) String() string {
	if o >= Operations {
		o = OperationUnknown
	}
	return operations[o].name
}

// Dependency returns whose completion waits for whose enqueue.
func (o Operation) Dependency() Dependency {
	if o >= Operations {
		o = OperationUnknown
	}
	return operations[o].dependency
}

// Rooted reports whether one rank has a part of its own.
func (o Operation) Rooted() bool {
	return o.Dependency() == AllOnRoot || o.Dependency() == RootOnAll
}
