package probesite

import (
	"errors"
	"fmt"
)

// Kind says how the Linux kernel executes a probed instruction.
type Kind uint8

// Kinds of site. A single-stepped one costs a second trap per call.
const (
	KindUnspecified Kind = iota
	KindEmulated
	KindSingleStepped
)

// String returns the kind's name in telemetry.
func (k Kind) String() string {
	switch k {
	case KindEmulated:
		return "emulated"
	case KindSingleStepped:
		return "single_stepped"
	default:
		return "unspecified"
	}
}

// Site is the instruction of a function at which to probe it.
//
// Invariant: on every path from the function's entry to the site, which each
// call passes exactly once, the stack pointer, the return address and the
// argument registers have not changed.
type Site struct {
	Offset   uint64 // from the function's entry, in bytes
	Kind     Kind
	ReturnOK bool // a return probe may be set here: the return address is where the convention puts it
	Insn     string
	Reason   string // why this site, for people
}

// Options control the selection of sites.
type Options struct {
	// AllowSingleStep permits single-stepped sites on arm64, where some Linux
	// kernels corrupt the probed process. On amd64 they are always permitted.
	AllowSingleStep bool
	// SingleStepsLongNOP is a Linux kernel before 6.18: on amd64 it emulates only
	// the NOP of one byte (90, with prefixes 66), and on arm64 none.
	SingleStepsLongNOP bool
}

// Errors of Select.
var (
	ErrArch              = errors.New("no probes on this machine's instruction set")
	ErrNoInstruction     = errors.New("no valid instruction at the function's entry")
	ErrUnprobeable       = errors.New("the Linux kernel refuses probes on the instruction at the function's entry")
	ErrSingleStepRefused = errors.New("the function can only be probed by single-stepping, which is not allowed here")
)

// maxSteps is how many instructions Select steps over at most.
const maxSteps = 6

// Select chooses the site of a function whose code begins with code, at address
// addr. The code should be the whole function, or its first 4 KiB. arch is a
// GOARCH.
//
// It is the first instruction that the Linux kernel emulates, if only
// instructions that leave stack and arguments alone are before it; otherwise the
// entry itself. A single-stepped entry that options do not permit is an
// ErrSingleStepRefused.
func Select(arch string, code []byte, addr uint64, options Options) (Site, error) {
	set, err := instructionSetOf(arch, options)
	if err != nil {
		return Site{}, err
	}
	if set.decode(code).length == 0 {
		return Site{}, ErrNoInstruction
	}
	offset, found := firstEmulated(set, code)
	switch {
	case !found:
		return entrySite(set, code, addr, "no emulated instruction before the stack or an argument changes")
	case offset > 0 && set.branchesInto(code, offset):
		return entrySite(set, code, addr, "a branch leads back between the entry and the emulated instruction")
	}
	return Site{
		Offset:   uint64(offset),
		Kind:     KindEmulated,
		ReturnOK: true,
		Insn:     set.text(code[offset:], addr+uint64(offset)),
		Reason:   emulatedReason(offset),
	}, nil
}

func emulatedReason(offset int) string {
	if offset == 0 {
		return "the entry is emulated"
	}
	return fmt.Sprintf("the instruction %d bytes after the entry is emulated", offset)
}

// entrySite is the single-stepped site at the function's entry.
func entrySite(set instructionSet, code []byte, addr uint64, reason string) (Site, error) {
	insn := set.text(code, addr)
	if set.decode(code).unprobeable {
		return Site{}, fmt.Errorf("%w: %s", ErrUnprobeable, insn)
	}
	if set.refusesSingleStep() {
		return Site{}, fmt.Errorf("%w: %s (entry: %s)", ErrSingleStepRefused, reason, insn)
	}
	return Site{Kind: KindSingleStepped, ReturnOK: true, Insn: insn, Reason: reason}, nil
}

// firstEmulated returns the offset of the first emulated instruction that is
// reached over neutral ones only.
func firstEmulated(set instructionSet, code []byte) (offset int, found bool) {
	for range maxSteps + 1 {
		insn := set.decode(code[offset:])
		if insn.emulated {
			return offset, true
		}
		if !insn.neutral {
			return 0, false
		}
		offset += insn.length
	}
	return 0, false
}
