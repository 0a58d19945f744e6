package probesite

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/arch/arm64/arm64asm"
)

// a64 reads arm64 code. What is emulated follows arm_probe_decode_insn of
// Linux, arch/arm64/kernel/probes/decode-insn.c.
type a64 struct {
	singleStepsNOP  bool
	allowSingleStep bool
}

const (
	a64InsnSize = 4
	a64NOP      = 0xd503201f
)

func (a a64) refusesSingleStep() bool { return !a.allowSingleStep }

func (a a64) decode(code []byte) instruction {
	if len(code) < a64InsnSize {
		return instruction{}
	}
	insn := binary.LittleEndian.Uint32(code)
	if insn>>16 == 0 { // udf: what padding and data look like
		return instruction{}
	}
	return instruction{
		length:      a64InsnSize,
		emulated:    a.emulates(insn),
		neutral:     isNeutralA64(insn),
		unprobeable: isUnprobeableA64(insn),
	}
}

func (a a64) emulates(insn uint32) bool {
	switch {
	case insn == a64NOP:
		return !a.singleStepsNOP
	case insn&0x1f000000 == 0x10000000: // adr, adrp
		return true
	case insn&0xfffffc1f == 0xd61f0000, insn&0xfffffc1f == 0xd63f0000, insn&0xfffffc1f == 0xd65f0000: // br, blr, ret
		return true
	default:
		_, branches := branchDistanceA64(insn)
		return branches
	}
}

// isNeutralA64 accepts only a short list of instructions. None of them writes
// memory, x0-x7 or sp, or touches x30, the return address; paciasp, which signs
// x30, is not among them.
func isNeutralA64(insn uint32) bool {
	to, from, second := insn&31, insn>>5&31, insn>>16&31
	writesScratch := isScratchA64(to)
	compares := insn>>29&1 == 1 && to == 31 // the result goes to zr
	switch {
	case insn == a64NOP, isBTI(insn):
		return true
	case insn&0x1f800000 == 0x11000000: // add, sub: immediate
		return from < 30 && (writesScratch || compares)
	case insn&0x1f200000 == 0x0b200000: // add, sub: extended register
		return from < 30 && second != 30 && (writesScratch || compares)
	case insn&0x1f200000 == 0x0b000000: // add, sub: shifted register
		return from != 30 && second != 30 && (writesScratch || compares)
	case insn&0x1f000000 == 0x0a000000: // and, orr, eor, ands: shifted register
		tests := insn>>29&3 == 3 && to == 31
		return from != 30 && second != 30 && (writesScratch || tests)
	case insn&0x1f800000 == 0x12800000, insn&0xffffffe0 == 0xd53bd040: // movz, movn, movk; mrs tpidr_el0
		return writesScratch
	case insn&0xbfc00000 == 0xb9400000, insn&0xbfc00000 == 0x39400000: // ldr; ldrb, ldrh: unsigned offset
		return writesScratch && from < 30
	default:
		return false
	}
}

func isBTI(insn uint32) bool { return insn&0xffffff3f == 0xd503241f }

// isScratchA64 names the registers that carry neither an argument nor anything
// the caller keeps; x8 is the address of a returned structure, but no traced
// function returns one.
func isScratchA64(r uint32) bool { return r >= 8 && r <= 17 }

// isUnprobeableA64 knows the commonest of what Linux refuses: loads relative to
// the program counter (since 6.12), exclusive accesses, exceptions.
func isUnprobeableA64(insn uint32) bool {
	return insn&0x3b000000 == 0x18000000 || // ldr (literal)
		insn&0x3f000000 == 0x08000000 || // exclusive
		insn&0xff000000 == 0xd4000000 // svc, hvc, smc, brk, hlt
}

// branchDistanceA64 returns how far a direct branch leads from its own address.
func branchDistanceA64(insn uint32) (distance int64, branches bool) {
	switch {
	case insn&0x7c000000 == 0x14000000: // b, bl
		return signed(insn, 26) * a64InsnSize, true
	case insn&0xff000010 == 0x54000000, insn&0x7e000000 == 0x34000000: // b.cond, cbz, cbnz
		return signed(insn>>5, 19) * a64InsnSize, true
	case insn&0x7e000000 == 0x36000000: // tbz, tbnz
		return signed(insn>>5, 14) * a64InsnSize, true
	default:
		return 0, false
	}
}

// signed extends the sign of the low bits of a field.
func signed(field uint32, bits uint) int64 {
	shift := 32 - bits
	return int64(int32(field<<shift) >> shift)
}

func (a64) branchesInto(code []byte, offset int) bool {
	for at := 0; at+a64InsnSize <= len(code); at += a64InsnSize {
		distance, branches := branchDistanceA64(binary.LittleEndian.Uint32(code[at:]))
		target := int64(at) + distance
		if branches && target > 0 && target <= int64(offset) {
			return true
		}
	}
	return false
}

func (a64) text(code []byte, _ uint64) string {
	insn, err := arm64asm.Decode(code)
	if err != nil {
		return fmt.Sprintf("% x", code[:min(len(code), a64InsnSize)])
	}
	return arm64asm.GNUSyntax(insn)
}
