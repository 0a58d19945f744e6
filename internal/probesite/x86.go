package probesite

import (
	"bytes"
	"fmt"

	"golang.org/x/arch/x86/x86asm"
)

// x86 reads amd64 code. What is emulated follows branch_setup_xol_ops and
// push_setup_xol_ops of Linux, arch/x86/kernel/uprobes.c.
type x86 struct {
	singleStepsLongNOP bool
}

var endbr64 = []byte{0xf3, 0x0f, 0x1e, 0xfa}

// longNOPs are the multi-byte NOPs that Linux knows by their bytes
// (arch/x86/include/asm/nops.h), shortest first.
var longNOPs = [][]byte{
	{0x0f, 0x1f, 0x00},
	{0x0f, 0x1f, 0x40, 0x00},
	{0x0f, 0x1f, 0x44, 0x00, 0x00},
	{0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00},
	{0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00},
	{0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00},
	{0x66, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00},
	{0x66, 0x66, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00},
	{0x66, 0x66, 0x66, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00},
}

func (x86) refusesSingleStep() bool { return false }

func (x x86) decode(code []byte) instruction {
	if bytes.HasPrefix(code, endbr64) {
		return instruction{length: len(endbr64), neutral: true}
	}
	insn, ok := decodeX86(code)
	if !ok {
		return instruction{}
	}
	own := code[:insn.Len]
	return instruction{
		length:      insn.Len,
		emulated:    x.emulates(own),
		neutral:     isNeutral(&insn),
		unprobeable: isUnprobeable(&insn),
	}
}

// decodeX86 returns the first instruction of code. x86asm answers a truncated
// one without an error, as a lone prefix of operation 0.
func decodeX86(code []byte) (x86asm.Inst, bool) {
	insn, err := x86asm.Decode(code, 64)
	return insn, err == nil && insn.Op != 0 && insn.Len > 0 && insn.Len <= len(code)
}

// emulates reports whether Linux emulates the instruction own.
func (x x86) emulates(own []byte) bool {
	switch opcode := own[0]; {
	case isOneByteNOP(own):
		return true
	case isLongNOP(own):
		return !x.singleStepsLongNOP
	case opcode >= 0x50 && opcode <= 0x57: // push r64
		return len(own) == 1
	case opcode == 0x41: // push r8-r15
		return len(own) == 2 && own[1] >= 0x50 && own[1] <= 0x57
	default:
		return isRelativeBranch(own)
	}
}

// isRelativeBranch reports whether own is a call, jmp or jcc without prefixes.
func isRelativeBranch(own []byte) bool {
	switch opcode := own[0]; {
	case opcode == 0xe8 || opcode == 0xe9:
		return len(own) == 5
	case opcode == 0xeb || opcode >= 0x70 && opcode <= 0x7f:
		return len(own) == 2
	default:
		return opcode == 0x0f && len(own) == 6 && own[1] >= 0x80 && own[1] <= 0x8f
	}
}

// isOneByteNOP also accepts operand-size prefixes before the NOP.
func isOneByteNOP(own []byte) bool {
	last := len(own) - 1
	return own[last] == 0x90 && len(bytes.Trim(own[:last], "\x66")) == 0
}

func isLongNOP(own []byte) bool {
	for _, nop := range longNOPs {
		if bytes.Equal(own, nop) {
			return true
		}
	}
	return false
}

// isNeutral accepts only a short list of instructions: those found before the
// first push or branch of real libraries.
func isNeutral(insn *x86asm.Inst) bool {
	if touchesStackPointer(insn) || hasPrefix(insn, x86asm.PrefixLOCK, x86asm.PrefixREP, x86asm.PrefixREPN) {
		return false
	}
	switch insn.Op {
	case x86asm.NOP, x86asm.CMP, x86asm.TEST:
		return true
	case x86asm.MOV, x86asm.MOVZX, x86asm.MOVSX, x86asm.MOVSXD, x86asm.LEA,
		x86asm.XOR, x86asm.OR, x86asm.AND, x86asm.ADD, x86asm.SUB:
		to, ok := insn.Args[0].(x86asm.Reg)
		return ok && isScratch(to)
	default:
		return false
	}
}

// isScratch names the registers that carry neither an argument nor anything the
// caller keeps. rax counts variadic vector arguments, but no traced function has any.
func isScratch(r x86asm.Reg) bool {
	switch r {
	case x86asm.AL, x86asm.AX, x86asm.EAX, x86asm.RAX,
		x86asm.R11B, x86asm.R11W, x86asm.R11L, x86asm.R11:
		return true
	default:
		return false
	}
}

func touchesStackPointer(insn *x86asm.Inst) bool {
	for _, arg := range insn.Args {
		switch arg := arg.(type) {
		case x86asm.Reg:
			if isStackPointer(arg) {
				return true
			}
		case x86asm.Mem:
			if isStackPointer(arg.Base) || isStackPointer(arg.Index) {
				return true
			}
		}
	}
	return false
}

func isStackPointer(r x86asm.Reg) bool {
	return r == x86asm.SPB || r == x86asm.SP || r == x86asm.ESP || r == x86asm.RSP
}

// isUnprobeable knows the commonest of what Linux refuses (is_prefix_bad and
// good_insns_64 in arch/x86/kernel/uprobes.c).
func isUnprobeable(insn *x86asm.Inst) bool {
	switch insn.Op {
	case x86asm.INT, x86asm.HLT, x86asm.IN, x86asm.OUT, x86asm.INSB, x86asm.INSW, x86asm.INSD,
		x86asm.OUTSB, x86asm.OUTSW, x86asm.OUTSD, x86asm.CLI, x86asm.STI, x86asm.IRET, x86asm.IRETD, x86asm.IRETQ:
		return true
	default:
		return hasPrefix(insn, x86asm.PrefixLOCK,
			x86asm.PrefixES, x86asm.PrefixCS, x86asm.PrefixSS, x86asm.PrefixDS)
	}
}

func hasPrefix(insn *x86asm.Inst, prefixes ...x86asm.Prefix) bool {
	for _, p := range insn.Prefix {
		for _, prefix := range prefixes {
			if p&0xff == prefix {
				return true
			}
		}
	}
	return false
}

func (x86) text(code []byte, addr uint64) string {
	if bytes.HasPrefix(code, endbr64) {
		return "endbr64"
	}
	insn, ok := decodeX86(code)
	if !ok {
		return fmt.Sprintf("% x", code[:min(len(code), 4)])
	}
	return x86asm.GNUSyntax(insn, addr, nil)
}
