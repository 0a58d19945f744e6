package probe

import "strconv"

// Role is what a function of NCCL does to communicators.
type Role uint8

// Roles.
const (
	RoleNone       Role = iota
	RoleCollective      // issues a collective
	RoleSends           // issues a send
	RoleReceives        // issues a receive
	RoleGroupStart
	RoleGroupEnd
	RoleBegins    // makes a communicator from a unique id
	RoleBeginsAll // makes all communicators of a process
	RoleDerives   // makes a communicator from another
	RoleEnds      // frees a communicator when what is open on it is complete
	RoleCuts      // ends what is open on a communicator, complete or not
	RoleAborts    // cuts, and frees it
	RoleTells     // tells the program its rank or the number of ranks
)

// Issues reports whether a function of the role issues an operation on a communicator.
func (r Role) Issues() bool {
	return r == RoleCollective || r == RoleSends || r == RoleReceives
}

// Communicator says which arguments of a function of NCCL are about the
// communicator. Every field is a slot or NoSlot.
type Communicator struct {
	Handle        uint8 // the communicator; of derived ones the parent
	Stored        uint8 // pointer to where the call stores what it makes or tells
	Size          uint8 // number of ranks
	Rank          uint8
	Identity      uint8 // pointer to the unique id, or to a list of ranks
	IdentityCount uint8 // length of that list, or how many communicators are made
	Colour        uint8 // of a split
}

// Operation says which arguments of a function of NCCL are about the operation.
// Every field is a slot or NoSlot.
type Operation struct {
	Count     uint8 // elements
	Datatype  uint8
	Reduction uint8
	Root      uint8
	Peer      uint8
}

var (
	noCommunicator = Communicator{NoSlot, NoSlot, NoSlot, NoSlot, NoSlot, NoSlot, NoSlot}
	noOperation    = Operation{NoSlot, NoSlot, NoSlot, NoSlot, NoSlot}
)

// resultInProgress is ncclInProgress: accepted by a non-blocking communicator.
const resultInProgress = 7

// datatypes are the values of ncclDataType_t (nccl.h 2.30).
var datatypes = [...]struct {
	name string
	size uint64 // bytes
}{
	{"int8", 1}, {"uint8", 1}, {"int32", 4}, {"uint32", 4}, {"int64", 8}, {"uint64", 8},
	{"float16", 2}, {"float32", 4}, {"float64", 8}, {"bfloat16", 2}, {"float8e4m3", 1}, {"float8e5m2", 1},
}

// DatatypeName returns the name of an ncclDataType_t, or its number.
func DatatypeName(value uint64) string {
	if value < uint64(len(datatypes)) {
		return datatypes[value].name
	}
	return strconv.FormatUint(value, 10)
}

// DatatypeSize returns the bytes of an element of an ncclDataType_t, 0 for an unknown one.
func DatatypeSize(value uint64) uint64 {
	if value < uint64(len(datatypes)) {
		return datatypes[value].size
	}
	return 0
}

// reductions are the values of ncclRedOp_t that nccl.h names; programs make others.
var reductions = [...]string{"sum", "prod", "max", "min", "avg"}

// ReductionName returns the name of an ncclRedOp_t, or its number.
func ReductionName(value uint64) string {
	if value < uint64(len(reductions)) {
		return reductions[value]
	}
	return strconv.FormatUint(value, 10)
}

// ncclResults are the values of ncclResult_t.
var ncclResults = map[int32]string{
	0: "ncclSuccess",
	1: "ncclUnhandledCudaError",
	2: "ncclSystemError",
	3: "ncclInternalError",
	4: "ncclInvalidArgument",
	5: "ncclInvalidUsage",
	6: "ncclRemoteError",
	7: "ncclInProgress",
}
