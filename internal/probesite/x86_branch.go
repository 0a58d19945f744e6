package probesite

import (
	"encoding/binary"

	"golang.org/x/arch/x86/x86asm"
)

// branchesInto sweeps over the function's instructions. From the first bytes on
// that do not decode, it takes every byte for the start of a branch: too
// careful, never too careless.
func (x x86) branchesInto(code []byte, offset int) bool {
	for at := 0; at < len(code); {
		insn := x.decode(code[at:])
		if insn.length == 0 {
			return anyByteBranchesInto(code, at, offset)
		}
		if leadsInto(at+insn.length, branchDistance(code[at:]), offset) {
			return true
		}
		at += insn.length
	}
	return false
}

// leadsInto reports whether a branch by distance from next leads to (0, offset].
// Distance 0 is no branch: it leads where falling through does.
func leadsInto(next int, distance int64, offset int) bool {
	target := int64(next) + distance
	return distance != 0 && target > 0 && target <= int64(offset)
}

// branchDistance returns how far the first instruction of code branches from
// its end, 0 if it does not.
func branchDistance(code []byte) int64 {
	insn, ok := decodeX86(code)
	if !ok {
		return 0
	}
	for _, arg := range insn.Args {
		if distance, ok := arg.(x86asm.Rel); ok {
			return int64(distance)
		}
	}
	return 0
}

func anyByteBranchesInto(code []byte, from, offset int) bool {
	for at := from; at < len(code); at++ {
		length, distance := possibleBranch(code[at:])
		if leadsInto(at+length, distance, offset) {
			return true
		}
	}
	return false
}

// possibleBranch reads code as a relative branch, if it begins like one.
func possibleBranch(code []byte) (length int, distance int64) {
	switch opcode := code[0]; {
	case opcode == 0xeb, opcode >= 0x70 && opcode <= 0x7f, opcode >= 0xe0 && opcode <= 0xe3:
		if len(code) >= 2 {
			return 2, int64(int8(code[1]))
		}
	case opcode == 0xe8, opcode == 0xe9:
		if len(code) >= 5 {
			return 5, int64(int32(binary.LittleEndian.Uint32(code[1:])))
		}
	case opcode == 0x0f && len(code) >= 6 && code[1] >= 0x80 && code[1] <= 0x8f:
		return 6, int64(int32(binary.LittleEndian.Uint32(code[2:])))
	}
	return 0, 0
}
