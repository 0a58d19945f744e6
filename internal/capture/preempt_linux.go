//go:build amd64 || arm64

package capture

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
)

// pseudoBTFID marks an immediate load of a Linux kernel variable's address by
// its BTF id (BPF_PSEUDO_BTF_ID, include/uapi/linux/bpf.h).
const pseudoBTFID = asm.Register(3)

// replacePreemptCount gives preempt_count of the program a body that reads this
// Linux kernel's per-CPU variable. Where there is none, or it is not per CPU
// (arm64), the body stays as compiled.
func replacePreemptCount(program *ebpf.ProgramSpec) error {
	id, offset, err := preemptCountVariable()
	if errors.Is(err, btf.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	for i := range program.Instructions {
		if program.Instructions[i].Symbol() == "preempt_count" {
			program.Instructions = append(program.Instructions[:i:i], preemptCountBody(program.Instructions[i], id, offset)...)
			return nil
		}
	}
	return nil
}

// preemptCountBody is the function's new instructions; the first keeps the old
// first one's metadata: its symbol and type. preempt_count is the last function
// of its program.
func preemptCountBody(old asm.Instruction, id btf.TypeID, offset uint32) asm.Instructions {
	address := asm.LoadImm(asm.R1, int64(id), asm.DWord)
	address.Src = pseudoBTFID
	address.Metadata = old.Metadata
	return asm.Instructions{
		address,
		asm.FnThisCpuPtr.Call(),
		asm.LoadMem(asm.R0, asm.R0, int16(offset), asm.Word),
		asm.Return(),
	}
}

// preemptCountVariable finds the variable: __preempt_count, or the member of
// pcpu_hot that held it from Linux 6.2 to 6.14.
func preemptCountVariable() (btf.TypeID, uint32, error) {
	kernel, err := btf.LoadKernelSpec()
	if err != nil {
		return 0, 0, err
	}
	var variable *btf.Var
	if err := kernel.TypeByName("__preempt_count", &variable); err == nil {
		return loadable(kernel, variable, 0)
	}
	if err := kernel.TypeByName("pcpu_hot", &variable); err != nil {
		return 0, 0, err
	}
	offset, err := memberOffset(variable.Type, "preempt_count")
	if err != nil {
		return 0, 0, err
	}
	return loadable(kernel, variable, offset)
}

// loadable returns the variable's BTF id if the verifier can find its address:
// it looks in kallsyms, where a Linux kernel without CONFIG_KALLSYMS_ALL has no variables.
func loadable(kernel *btf.Spec, variable *btf.Var, offset uint32) (btf.TypeID, uint32, error) {
	listed, err := kernelSymbolListed(variable.Name)
	if err != nil {
		return 0, 0, err
	}
	if !listed {
		return 0, 0, btf.ErrNotFound
	}
	id, err := kernel.TypeID(variable)
	return id, offset, err
}

func kernelSymbolListed(name string) (bool, error) {
	file, err := os.Open("/proc/kallsyms")
	if err != nil {
		return false, fmt.Errorf("looking for symbol %s: %w", name, err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	suffix := []byte(" " + name)
	for lines.Scan() {
		if bytes.HasSuffix(lines.Bytes(), suffix) {
			return true, nil
		}
	}
	return false, lines.Err()
}

// memberOffset finds a member, in anonymous members too, in bytes.
func memberOffset(t btf.Type, name string) (uint32, error) {
	var members []btf.Member
	switch t := btf.UnderlyingType(t).(type) {
	case *btf.Struct:
		members = t.Members
	case *btf.Union:
		members = t.Members
	}
	for _, m := range members {
		if m.Name == name {
			return m.Offset.Bytes(), nil
		}
		if m.Name != "" {
			continue
		}
		if offset, err := memberOffset(m.Type, name); err == nil {
			return m.Offset.Bytes() + offset, nil
		}
	}
	return 0, btf.ErrNotFound
}
