//go:build amd64 || arm64

package capture

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

// declareSessionIsReturn gives the program's declaration of bpf_session_is_return
// the parameters that this Linux kernel's has: none before 7.0, later the context.
// The program passes it in any case, which a function without parameters ignores.
func declareSessionIsReturn(spec *ebpf.CollectionSpec) error {
	declared, err := kfunc(spec.Types)
	if err != nil {
		return fmt.Errorf("finding bpf_session_is_return in BPF object: %w", err)
	}
	kernel, err := btf.LoadKernelSpec()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoBTF, err)
	}
	actual, err := kfunc(kernel)
	if errors.Is(err, btf.ErrNotFound) {
		return nil // Linux before 6.13
	}
	if err != nil {
		return fmt.Errorf("finding bpf_session_is_return in the Linux kernel: %w", err)
	}
	if len(actual.Params) < len(declared.Params) {
		declared.Params = declared.Params[:len(actual.Params)]
	}
	return nil
}

func kfunc(types *btf.Spec) (*btf.FuncProto, error) {
	var function *btf.Func
	if err := types.TypeByName("bpf_session_is_return", &function); err != nil {
		return nil, err
	}
	prototype, ok := function.Type.(*btf.FuncProto)
	if !ok {
		return nil, fmt.Errorf("its type is a %T", function.Type)
	}
	return prototype, nil
}
