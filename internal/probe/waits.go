package probe

import "strings"

// Waits reports whether waiting is the call's job, so that an off-CPU interval
// inside interrupts nothing: synchronisations, and copies that return when they
// are done.
func (p *Probe) Waits() bool {
	return p.Class == ClassSync ||
		p.Class == ClassMemcpy && p.CountsBytes && !strings.Contains(p.Function, "Async")
}
