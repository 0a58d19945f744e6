//go:build amd64 || arm64

package capture

import (
	"math"
	"math/big"
	"time"

	"github.com/gpucause/gpucause/bpf"
	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/probe"
)

// probeRows is the catalogue as the kernel side reads it, by ID.
func probeRows() [probe.MaxProbes]bpf.GpucauseProbeRow {
	var rows [probe.MaxProbes]bpf.GpucauseProbeRow
	for _, p := range probe.All() {
		rows[p.ID] = bpf.GpucauseProbeRow{
			Known:             1,
			Layer:             uint8(p.Layer),
			ClassId:           uint8(p.Class),
			LedgerState:       uint8(event.CallState(p.Class)),
			Blocking:          flags[p.Waits()],
			Slots:             p.Slots,
			DerefSlot:         p.DerefSlot,
			DerefWords:        p.DerefWords,
			FunctionSlot:      p.FunctionSlot,
			SizeSlot:          p.SizeSlot,
			SizeSlot2:         p.SizeSlot2,
			KindSlot:          p.KindSlot,
			Kind:              uint8(p.Kind),
			CountsBytes:       flags[p.CountsBytes],
			AllocatesSlot:     p.AllocatesSlot,
			FreesSlot:         p.FreesSlot,
			NameOutSlot:       p.NameOutSlot,
			NameSlot:          p.NameSlot,
			SameSlot:          p.SameSlot,
			RegistersSlot:     p.RegistersSlot,
			NcclRole:          uint8(p.Role),
			CommSlot:          p.Communicator.Handle,
			NewCommSlot:       p.Communicator.Stored,
			PeerSlot:          p.Operation.Peer,
			ElementsSlot:      p.Operation.Count,
			IdentitySlot:      p.Communicator.Identity,
			IdentityCountSlot: p.Communicator.IdentityCount,
			DevicesSlot:       p.DevicesSlot,
			CutSlot:           p.CutSlot,
			Edge:              uint8(p.Edge),
			EventSlot:         p.EventSlot,
			StreamSlot:        p.StreamSlot,
			PerThread:         flags[p.PerThread],
			EntryEffects:      flags[hasEntryEffects(&p)],
			Benign:            p.Benign,
		}
	}
	return rows
}

// registerSlots is how many arguments are in registers on amd64, at least.
const registerSlots = 6

// hasEntryEffects reports whether the entry of a call is more than its registers.
func hasEntryEffects(p *probe.Probe) bool {
	return int(p.Slots) > registerSlots || p.DerefWords > 0 || p.FreesSlot != probe.NoSlot ||
		p.Role != probe.RoleNone || p.Edge != probe.EdgeNone
}

// flags are C's truth values.
var flags = map[bool]uint8{true: 1}

// reasonStates is the ledger's state of a blocked thread, by reason.
func reasonStates() [32]uint8 {
	var states [32]uint8
	for reason := range states {
		states[reason] = uint8(event.BlockedState(event.OffCPUReason(reason)))
	}
	return states
}

// bucketBounds are the bounds of event.Histogram in nanoseconds: bucket i holds
// the values above bound i and up to bound i+1. An integer is above an
// irrational bound exactly if it is above its floor.
func bucketBounds() [512]uint64 {
	var bounds [512]uint64
	for i := range bounds {
		bounds[i] = math.MaxUint64
	}
	for i := range event.HistogramBuckets + 1 {
		bounds[i] = boundNanoseconds(event.HistogramMinIndex + i)
	}
	return bounds
}

// boundNanoseconds is floor(2^(index / 2^HistogramScale) seconds), computed with
// enough bits that the floor is right.
func boundNanoseconds(index int) uint64 {
	const precision = 200
	bound := new(big.Float).SetPrec(precision).SetInt64(int64(time.Second))
	root := new(big.Float).SetPrec(precision).SetInt64(2)
	for range event.HistogramScale {
		root.Sqrt(root)
	}
	for range index {
		bound.Mul(bound, root)
	}
	for range -index {
		bound.Quo(bound, root)
	}
	ns, accuracy := bound.Uint64()
	// A power of two is exact in theory and may miss by a last bit in practice.
	if nearest, _ := new(big.Float).Add(bound, big.NewFloat(0.5)).Uint64(); accuracy == big.Below && nearest == ns+1 {
		gap := new(big.Float).Sub(new(big.Float).SetUint64(nearest), bound)
		if gap.Cmp(big.NewFloat(1e-30)) < 0 {
			return nearest
		}
	}
	return ns
}
