package threadcontext

// Place is where every thread of a process keeps the pointer to its thread
// context. The zero value is nowhere.
type Place struct {
	// Module is 0 where Offset is from the thread pointer, in two's complement.
	// Otherwise it is the number that the dynamic linker gave to a module, and
	// Offset is in each thread's block of that module.
	Module uint32
	Offset uint64
}

// Known reports whether it is somewhere.
func (p Place) Known() bool { return p != Place{} }
