package probe

import "strings"

// row is one line of the catalogue: a function and the suffix of its
// per-thread-default-stream variant, which has the same prototype.
type row struct {
	probe   Probe
	variant string // "_ptsz", "_ptds" or none
}

// option fills in fields of a row.
type option func(*row)

func newRow(layer Layer, class Class, symbol string, options []option) row {
	r := row{probe: Probe{
		Symbol:        symbol,
		Function:      functionName(symbol),
		Layer:         layer,
		Class:         class,
		DerefSlot:     NoSlot,
		FunctionSlot:  NoSlot,
		SizeSlot:      NoSlot,
		SizeSlot2:     NoSlot,
		KindSlot:      NoSlot,
		AllocatesSlot: NoSlot,
		FreesSlot:     NoSlot,
		NameOutSlot:   NoSlot,
		NameSlot:      NoSlot,
		SameSlot:      NoSlot,
		RegistersSlot: NoSlot,
		EventSlot:     NoSlot,
		StreamSlot:    NoSlot,
		Communicator:  noCommunicator,
		DevicesSlot:   NoSlot,
		CutSlot:       NoSlot,
		Operation:     noOperation,
	}}
	for _, fill := range options {
		fill(&r)
	}
	if r.probe.Edge == EdgeNone && r.probe.waitsForGPU() {
		r.probe.Edge = EdgeSyncsStream
	}
	r.probe.Slots = slotsRead(&r.probe)
	return r
}

// functionName returns the shown name of a symbol: without the suffix of a
// per-thread variant and without a version.
func functionName(symbol string) string {
	name := strings.TrimSuffix(strings.TrimSuffix(symbol, "_ptsz"), "_ptds")
	if i := strings.LastIndex(name, "_v"); i > 0 && isNumber(name[i+2:]) {
		return name[:i]
	}
	return name
}

func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// slotsRead counts the argument slots up to the last one that p refers to.
// Slots that hold dereferenced words are not arguments.
func slotsRead(p *Probe) uint8 {
	slots := uint8(0)
	for _, slot := range p.references() {
		if slot != NoSlot && !p.derefs(slot) {
			slots = max(slots, slot+1)
		}
	}
	return slots
}

// references lists every slot that p names, and NoSlot for those it does not.
func (p *Probe) references() []uint8 {
	slots := []uint8{
		p.DerefSlot, p.FunctionSlot, p.SizeSlot, p.SizeSlot2, p.KindSlot,
		p.AllocatesSlot, p.FreesSlot, p.NameOutSlot, p.NameSlot, p.SameSlot, p.RegistersSlot,
		p.EventSlot, p.StreamSlot, p.DevicesSlot, p.CutSlot,
		p.Communicator.Handle, p.Communicator.Stored, p.Communicator.Size, p.Communicator.Rank,
		p.Communicator.Identity, p.Communicator.IdentityCount, p.Communicator.Colour,
		p.Operation.Count, p.Operation.Datatype, p.Operation.Reduction, p.Operation.Root, p.Operation.Peer,
	}
	for _, arg := range p.Args {
		slots = append(slots, arg.Slot)
	}
	return slots
}

// derefs reports whether slot holds a word of the structure that p's DerefSlot
// points to.
func (p *Probe) derefs(slot uint8) bool {
	return p.DerefWords > 0 && slot >= FirstDerefSlot && slot < FirstDerefSlot+p.DerefWords
}

func (r *row) show(args ...Arg) { r.probe.Args = append(r.probe.Args, args...) }

// perThreadStream: there is a variant with suffix _ptsz (functions with a GPU stream argument).
func perThreadStream(r *row) { r.variant = "_ptsz" }

// perThreadDefault: there is a variant with suffix _ptds (functions without).
func perThreadDefault(r *row) { r.variant = "_ptds" }

// integer shows a 64-bit number.
func integer(key string, slot uint8) option {
	return func(r *row) { r.show(Arg{Key: key, Slot: slot, Bits: 64}) }
}

// integer32 shows a 32-bit number.
func integer32(key string, slot uint8) option {
	return func(r *row) { r.show(Arg{Key: key, Slot: slot, Bits: 32}) }
}

// handle shows a pointer or handle.
func handle(key string, slot uint8) option {
	return func(r *row) { r.show(Arg{Key: key, Slot: slot, Bits: 64, Type: TypeHandle}) }
}

func stream(slot uint8) option { return handle("cuda.stream", slot) }

func event(slot uint8) option { return handle("cuda.event", slot) }

// recordsEvent: the event in slot 0, behind the work on the GPU stream in slot 1.
func recordsEvent(r *row) {
	r.probe.Edge, r.probe.EventSlot, r.probe.StreamSlot = EdgeRecordsEvent, 0, 1
	event(0)(r)
	stream(1)(r)
}

// awaitsEvent: later work on the GPU stream in slot 0, the event in slot 1.
func awaitsEvent(r *row) {
	r.probe.Edge, r.probe.StreamSlot, r.probe.EventSlot = EdgeAwaitsEvent, 0, 1
	stream(0)(r)
	event(1)(r)
}

// aboutStream: the host waits for, or asks about, the GPU stream in slot 0.
func aboutStream(edge Edge) option {
	return func(r *row) {
		r.probe.Edge, r.probe.StreamSlot = edge, 0
		stream(0)(r)
	}
}

// aboutEvent: the host waits for, or asks about, the event in slot 0.
func aboutEvent(edge Edge) option {
	return func(r *row) {
		r.probe.Edge, r.probe.EventSlot = edge, 0
		event(0)(r)
	}
}

// beginsCapture: later work of the calling thread goes into a CUDA graph, of the GPU stream in slot 0.
func beginsCapture(r *row) {
	r.probe.Edge = EdgeBeginsCapture
	stream(0)(r)
}

// endsCapture: no more, of the GPU stream in slot 0.
func endsCapture(r *row) {
	r.probe.Edge = EdgeEndsCapture
	stream(0)(r)
}

// setsDevice: the GPU in slot 0 is the calling thread's from now on.
func setsDevice(r *row) {
	r.probe.Edge = EdgeSetsDevice
	integer32("cuda.device.index", 0)(r)
}

// syncsDevice: the host waits for all work on the GPU.
func syncsDevice(r *row) { r.probe.Edge = EdgeSyncsDevice }

// dim3 shows a dim3 passed by value in slot and the one after it.
func dim3(key string, slot uint8) option {
	return func(r *row) {
		r.show(
			Arg{Key: key + ".x", Slot: slot, Bits: 32},
			Arg{Key: key + ".y", Slot: slot, Shift: 32, Bits: 32},
			Arg{Key: key + ".z", Slot: slot + 1, Bits: 32},
		)
	}
}

// launches names the argument that holds the launched function.
func launches(slot uint8) option {
	return func(r *row) {
		r.probe.FunctionSlot = slot
		handle("cuda.function.handle", slot)(r)
	}
}

// configured copies a launch configuration passed by reference in slot 0.
// cudaLaunchConfig_t (driver_types.h) and CUlaunchConfig (cuda.h) differ only
// in the width of the shared-memory size.
func configured(sharedMemoryBits uint8) option {
	const first = FirstDerefSlot
	return func(r *row) {
		r.probe.DerefSlot, r.probe.DerefWords = 0, 5
		r.show(
			Arg{Key: "cuda.grid.x", Slot: first, Bits: 32},
			Arg{Key: "cuda.grid.y", Slot: first, Shift: 32, Bits: 32},
			Arg{Key: "cuda.grid.z", Slot: first + 1, Bits: 32},
			Arg{Key: "cuda.block.x", Slot: first + 1, Shift: 32, Bits: 32},
			Arg{Key: "cuda.block.y", Slot: first + 2, Bits: 32},
			Arg{Key: "cuda.block.z", Slot: first + 2, Shift: 32, Bits: 32},
			Arg{Key: "cuda.shared_memory.size", Slot: first + 3, Bits: sharedMemoryBits},
			Arg{Key: "cuda.stream", Slot: first + 4, Bits: 64, Type: TypeHandle},
		)
	}
}

// copies counts and shows the bytes of a copy in a fixed direction.
func copies(sizeSlot uint8, kind MemcpyKind) option {
	return func(r *row) {
		r.probe.SizeSlot, r.probe.Kind, r.probe.CountsBytes = sizeSlot, kind, true
		integer("cuda.memcpy.size", sizeSlot)(r)
	}
}

// copiesBy counts and shows the bytes of a copy whose direction is an argument.
func copiesBy(sizeSlot, kindSlot uint8) option {
	return func(r *row) {
		copies(sizeSlot, MemcpyDefault)(r)
		directed(kindSlot)(r)
	}
}

// directed shows the direction of a copy.
func directed(kindSlot uint8) option {
	return func(r *row) {
		r.probe.KindSlot = kindSlot
		r.show(Arg{Key: "cuda.memcpy.kind", Slot: kindSlot, Bits: 32, Type: TypeMemcpyKind})
	}
}

// copies2D counts the bytes of a copy of width by height whose direction is an argument.
func copies2D(widthSlot, kindSlot uint8) option {
	return func(r *row) {
		r.probe.SizeSlot, r.probe.SizeSlot2, r.probe.CountsBytes = widthSlot, widthSlot+1, true
		integer("cuda.memcpy.width", widthSlot)(r)
		integer("cuda.memcpy.height", widthSlot+1)(r)
		directed(kindSlot)(r)
	}
}

// region shows the address and size of memory that a call works on.
func region(addressSlot, sizeSlot uint8) option {
	return func(r *row) {
		handle("cuda.memory.address", addressSlot)(r)
		sized(sizeSlot)(r)
	}
}

// sized shows a number of bytes of memory.
func sized(slot uint8) option {
	return func(r *row) {
		r.probe.SizeSlot = slot
		integer("cuda.memory.size", slot)(r)
	}
}

// allocates: GPU memory of so many bytes; its pointer or handle is stored where slot 0 points.
func allocates(sizeSlot uint8) option {
	return func(r *row) {
		r.probe.AllocatesSlot = 0
		sized(sizeSlot)(r)
	}
}

// allocates2D: GPU memory of width by height bytes, without the padding of rows.
func allocates2D(widthSlot uint8) option {
	return func(r *row) {
		allocates(widthSlot)(r)
		r.probe.SizeSlot2 = widthSlot + 1
		r.probe.Args = nil // neither factor alone is the size
	}
}

// frees: GPU memory whose pointer or handle is in slot 0.
func frees(r *row) {
	r.probe.FreesSlot = 0
	handle("cuda.memory.address", 0)(r)
}

// named: the call stores a function's handle where slot 0 points, for the name in nameSlot.
func named(nameSlot uint8) option {
	return func(r *row) { r.probe.NameOutSlot, r.probe.NameSlot = 0, nameSlot }
}

// renames: the call stores another handle of the function in slot where slot 0 points.
func renames(slot uint8) option {
	return func(r *row) { r.probe.NameOutSlot, r.probe.SameSlot = 0, slot }
}

// registers: the function in slot has the name in nameSlot.
func registers(slot, nameSlot uint8) option {
	return func(r *row) { r.probe.RegistersSlot, r.probe.NameSlot = slot, nameSlot }
}

// polls: "not ready" is an answer and no error.
func polls(r *row) { r.probe.Benign = resultNotReady }
