package probe

import "strings"

// Waits reports whether waiting is the call's job, so that an off-CPU interval
// inside interrupts nothing: synchronisations, and copies that return when they
// are done.
func (p *Probe) Waits() bool {
	return p.Class == ClassSync ||
		p.Class == ClassMemcpy && p.CountsBytes && !strings.Contains(p.Function, "Async")
}

// Size returns the bytes that a call of it with these arguments copies, sets or
// allocates; 0 where that is not known.
func (p *Probe) Size(args []uint64) uint64 {
	if int(p.SizeSlot) >= len(args) {
		return 0
	}
	size := args[p.SizeSlot]
	if int(p.SizeSlot2) < len(args) {
		size *= args[p.SizeSlot2]
	}
	return size
}

// waitsForGPU reports whether work that was queued on the default GPU stream
// before is certainly done when the call returns: of a copy from or to the host,
// or whose arguments say that it is one.
func (p *Probe) waitsForGPU() bool {
	return p.Waits() && (p.Class == ClassSync || p.KindSlot != NoSlot ||
		p.Kind == MemcpyHostToDevice || p.Kind == MemcpyDeviceToHost)
}
