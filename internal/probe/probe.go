package probe

// ID numbers a row of the catalogue. It is the attach cookie's low 16 bits and
// the index of the row in the kernel side's table. 0 is no probe.
type ID uint16

// Class groups functions by what the calling thread does in them.
type Class uint8

// Classes of call (docs/telemetry.md, cuda.call.class).
const (
	ClassUnspecified Class = iota
	ClassLaunch
	ClassSync
	ClassMemcpy
	ClassMemory
	ClassModuleLoad
	ClassCollective
	ClassOther
)

// Layer is the library interface that a function belongs to.
type Layer uint8

// Layers of the CUDA stack: a runtime call usually contains driver calls, and NCCL's collectives both.
const (
	LayerUnspecified Layer = iota
	LayerRuntime
	LayerDriver
	LayerNCCL
	Layers // how many there are
)

// MaxSlots is the number of argument slots that the kernel side stores per call.
//
// A slot is one 8-byte INTEGER-class argument position, counted from 0 in both
// calling conventions: on amd64 slots 0-5 are rdi, rsi, rdx, rcx, r8, r9 and
// slot 6+i is the word at [rsp+8+8*i] at entry; on arm64 slots 0-7 are x0-x7
// and slot 8+i is the word at [sp+8*i]. A dim3 passed by value takes two
// consecutive slots: x in the low and y in the high 32 bits of the first, z in
// the low 32 bits of the second.
const MaxSlots = 12

// Type says how the bits of an argument are to be shown.
type Type uint8

// Types of argument.
const (
	TypeInt        Type = iota // unsigned integer, shown in decimal
	TypeHandle                 // pointer or opaque handle, shown in hexadecimal
	TypeMemcpyKind             // enum cudaMemcpyKind, shown by its name
	TypeDatatype               // ncclDataType_t, shown by its name
	TypeReduction              // ncclRedOp_t, shown by its name
)

// Arg is one argument that a span shows: Bits bits of slot Slot from bit Shift.
type Arg struct {
	Key   string // span attribute, for example "cuda.stream"
	Slot  uint8
	Shift uint8
	Bits  uint8 // 32 or 64
	Type  Type
}

// NoSlot says that a function has no such argument.
const NoSlot = 0xff

// MemcpyKind is the direction of a copy: the values of enum cudaMemcpyKind in
// driver_types.h. KindFromArg means that the direction is the argument in
// Probe.KindSlot.
type MemcpyKind uint8

// Directions of a copy.
const (
	MemcpyHostToHost MemcpyKind = iota
	MemcpyHostToDevice
	MemcpyDeviceToHost
	MemcpyDeviceToDevice
	MemcpyDefault
	MemcpyKinds // how many there are
)

// Probe is one row of the catalogue: one exported symbol.
//
// Every ...Slot field is a slot number or NoSlot.
type Probe struct {
	ID       ID     // index in the catalogue, from 1
	Symbol   string // as exported, for example "cudaLaunchKernel_ptsz"
	Function string // shown name: the symbol without _ptsz, _ptds, and version suffixes
	Layer    Layer
	Class    Class

	Slots uint8 // how many slots the prototype's arguments that we read fill, from 0
	Args  []Arg // what spans show

	// DerefSlot names a pointer argument whose first DerefWords 8-byte words are
	// copied at entry into slots 6, 7, ...: launch configurations passed by
	// reference.
	DerefSlot  uint8
	DerefWords uint8

	FunctionSlot uint8 // launched function (host stub, CUfunction or cudaKernel_t)

	SizeSlot      uint8      // bytes copied, set or allocated
	SizeSlot2     uint8      // second factor of the size (height of a 2D copy)
	KindSlot      uint8      // argument that holds the direction of a copy
	Kind          MemcpyKind // direction where KindSlot is NoSlot
	CountsBytes   bool       // adds its size to gpu.cuda.memcpy.size
	AllocatesSlot uint8      // pointer to where the allocated pointer or handle is stored at return
	FreesSlot     uint8      // pointer or handle freed

	NameOutSlot   uint8 // where the call stores a function handle
	NameSlot      uint8 // that function's name, a C string
	SameSlot      uint8 // another handle of that function
	RegistersSlot uint8 // the handle that NameSlot names, where it is an argument

	Edge       Edge
	EventSlot  uint8
	StreamSlot uint8
	PerThread  bool // GPU stream 0 is the thread's own

	Role         Role // of functions of NCCL, as the next two
	Communicator Communicator
	DevicesSlot  uint8 // pointer to the numbers (int) of the GPUs of the communicators that the call makes; NULL: 0, 1, ...
	CutSlot      uint8 // flags (ncclCommShrink): with NCCL_SHRINK_ABORT the call cuts Communicator.Handle short, as RoleCuts does
	Operation    Operation

	// Benign is a result that is not an error for this function besides 0, such
	// as cudaErrorNotReady (600) of a query; 0 when there is none.
	Benign int32
}
