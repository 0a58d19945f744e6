package probe

import (
	"runtime"
	"slices"
)

// MaxProbes bounds the IDs of the catalogue: it is the size of the kernel
// side's table of probes. ID 0 is no probe.
const MaxProbes = 256

// catalogue is written once, at start-up.
var catalogue = assemble(runtimeRows(), driverRows(), ncclRows(runtime.GOARCH))

// table is the catalogue and its index by symbol.
type table struct {
	probes   []Probe
	bySymbol map[string]ID
}

// assemble numbers the rows, each followed by its per-thread variant.
func assemble(layers ...[]row) table {
	t := table{bySymbol: make(map[string]ID)}
	for _, r := range slices.Concat(layers...) {
		t.add(r.probe)
		if r.variant != "" {
			p := r.probe
			p.Symbol += r.variant
			p.PerThread = true
			t.add(p)
		}
	}
	return t
}

func (t *table) add(p Probe) {
	p.ID = ID(len(t.probes) + 1)
	t.probes = append(t.probes, p)
	t.bySymbol[p.Symbol] = p.ID
}

// All returns the catalogue in the order of IDs: the row of ID i is at i-1.
// The caller owns the slice; the Args that rows share are read-only.
func All() []Probe { return slices.Clone(catalogue.probes) }

// Find returns the row of an exported symbol.
func Find(symbol string) (Probe, bool) {
	id, ok := catalogue.bySymbol[symbol]
	if !ok {
		return Probe{}, false
	}
	return catalogue.probes[id-1], true
}

// Get returns the row of id, or nil when there is none. The row is read-only.
func Get(id ID) *Probe {
	if id == 0 || int(id) > len(catalogue.probes) {
		return nil
	}
	return &catalogue.probes[id-1]
}
