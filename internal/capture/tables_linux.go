//go:build amd64 || arm64

package capture

import (
	"math"
	"math/big"
	"strings"
	"time"

	"github.com/gpucause/gpucause/bpf"
	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/probe"
)

// probeRows is the catalogue as the kernel side reads it, by ID.
func probeRows() [256]bpf.GpucauseProbeRow {
	var rows [256]bpf.GpucauseProbeRow
	for _, p := range probe.All() {
		rows[p.ID] = bpf.GpucauseProbeRow{
			Known:         1,
			Layer:         uint8(p.Layer),
			ClassId:       uint8(p.Class),
			LedgerState:   uint8(ledgerStates[p.Class]),
			Blocking:      flags[blocks(&p)],
			Slots:         p.Slots,
			DerefSlot:     p.DerefSlot,
			DerefWords:    p.DerefWords,
			FunctionSlot:  p.FunctionSlot,
			SizeSlot:      p.SizeSlot,
			SizeSlot2:     p.SizeSlot2,
			KindSlot:      p.KindSlot,
			Kind:          uint8(p.Kind),
			CountsBytes:   flags[p.CountsBytes],
			AllocatesSlot: p.AllocatesSlot,
			FreesSlot:     p.FreesSlot,
			NameOutSlot:   p.NameOutSlot,
			NameSlot:      p.NameSlot,
			Benign:        p.Benign,
		}
	}
	return rows
}

// flags are C's truth values.
var flags = map[bool]uint8{true: 1}

// ledgerStates is what a thread does on a CPU inside a call of a class.
var ledgerStates = map[probe.Class]event.LedgerState{
	probe.ClassLaunch:     event.LedgerLaunch,
	probe.ClassSync:       event.LedgerSyncSpin,
	probe.ClassMemcpy:     event.LedgerMemcpy,
	probe.ClassMemory:     event.LedgerMemory,
	probe.ClassModuleLoad: event.LedgerModuleLoad,
	probe.ClassCollective: event.LedgerCollective,
	probe.ClassOther:      event.LedgerOtherCall,
}

// blockedStates is what a thread waits for outside of blocking calls. Reasons
// that are not here are blocked_other.
var blockedStates = map[event.OffCPUReason]event.LedgerState{
	event.ReasonFutex:     event.LedgerLock,
	event.ReasonIO:        event.LedgerIO,
	event.ReasonPoll:      event.LedgerInputWait,
	event.ReasonRead:      event.LedgerInputWait,
	event.ReasonSocket:    event.LedgerInputWait,
	event.ReasonSleep:     event.LedgerSleep,
	event.ReasonPageFault: event.LedgerPageFault,
	event.ReasonIoctl:     event.LedgerDriver,
}

// reasonStates is blockedStates by reason.
func reasonStates() [32]uint8 {
	var states [32]uint8
	for reason := range states {
		states[reason] = uint8(event.LedgerBlockedOther)
	}
	for reason, state := range blockedStates {
		states[reason] = uint8(state)
	}
	return states
}

// blocks reports whether waiting is the call's job, so that an off-CPU interval
// inside interrupts nothing: syncs, and copies that return when they are done.
func blocks(p *probe.Probe) bool {
	return p.Class == probe.ClassSync ||
		p.Class == probe.ClassMemcpy && p.CountsBytes && !strings.Contains(p.Function, "Async")
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
