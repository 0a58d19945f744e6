package probesite

import "fmt"

// instruction is what the selection needs to know of one instruction.
type instruction struct {
	length      int  // in bytes; 0 when there is no valid instruction, and then nothing else is set
	emulated    bool // the Linux kernel emulates it
	neutral     bool // falls through, writes no memory, leaves stack pointer, return address and arguments alone
	unprobeable bool // the Linux kernel refuses a probe on it
}

// instructionSet reads one machine's code. Its methods accept any bytes.
type instructionSet interface {
	// decode describes the first instruction of code.
	decode(code []byte) instruction
	// branchesInto reports whether a direct branch in the function leads to (0, offset].
	branchesInto(code []byte, offset int) bool
	// text shows the first instruction of code in GNU syntax.
	text(code []byte, addr uint64) string
	refusesSingleStep() bool
}

func instructionSetOf(arch string, options Options) (instructionSet, error) {
	switch arch {
	case "amd64":
		return x86{singleStepsLongNOP: options.SingleStepsLongNOP}, nil
	case "arm64":
		return a64{
			singleStepsNOP:  options.SingleStepsLongNOP,
			allowSingleStep: options.AllowSingleStep,
		}, nil
	default:
		return nil, fmt.Errorf("%w: %s", ErrArch, arch)
	}
}
