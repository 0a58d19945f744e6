//go:build amd64 || arm64

package capture

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func capable(capabilities ...int) machine {
	m := machine{kernel: kernelVersion{6, 8}, btf: true, pidNamespace: initialPIDNamespace, uprobePMU: true, tracefs: true}
	for _, c := range capabilities {
		m.capabilities |= 1 << c
	}
	return m
}

func TestCheck(t *testing.T) {
	least := []int{unix.CAP_BPF, unix.CAP_PERFMON, unix.CAP_SYS_PTRACE}
	tests := []struct {
		name      string
		mechanism Mechanism
		machine   machine
		change    func(*machine)
		err       error
		text      string
	}{
		{name: "least privilege", machine: capable(least...)},
		{name: "root", machine: capable(unix.CAP_SYS_ADMIN, unix.CAP_SYS_PTRACE)},
		{name: "no BPF", machine: capable(unix.CAP_PERFMON, unix.CAP_SYS_PTRACE), err: ErrCapability, text: "CAP_BPF"},
		{name: "no PERFMON", machine: capable(unix.CAP_BPF, unix.CAP_SYS_PTRACE), err: ErrCapability, text: "CAP_PERFMON"},
		{name: "no PTRACE", machine: capable(unix.CAP_BPF, unix.CAP_PERFMON), err: ErrCapability, text: "CAP_SYS_PTRACE"},
		{name: "perf needs SYS_ADMIN", mechanism: MechanismPerf, machine: capable(least...), err: ErrCapability, text: "CAP_SYS_ADMIN"},
		{name: "before multi", machine: capable(least...), change: func(m *machine) { m.kernel = kernelVersion{6, 5} }, err: ErrCapability, text: "CAP_SYS_ADMIN"},
		{name: "old", machine: capable(least...), change: func(m *machine) { m.kernel = kernelVersion{5, 14} }, err: ErrKernelOld, text: "5.15"},
		{name: "no BTF", machine: capable(least...), change: func(m *machine) { m.btf = false }, err: ErrNoBTF, text: "CONFIG_DEBUG_INFO_BTF"},
		{name: "container", machine: capable(least...), change: func(m *machine) { m.pidNamespace++ }, err: ErrPIDNamespace, text: "hostPID"},
		{name: "seccomp", machine: capable(least...), change: func(m *machine) { m.refusesBPF = true }, err: errRefused, text: "seccomp"},
		{name: "no perf needed", machine: capable(least...), change: func(m *machine) { m.refusesPerf = true }},
		{
			name: "perf refused", mechanism: MechanismPerf, machine: capable(unix.CAP_SYS_ADMIN, unix.CAP_SYS_PTRACE),
			change: func(m *machine) { m.refusesPerf = true }, err: errRefused, text: "perf_event_open",
		},
		{
			name: "no tracefs", mechanism: MechanismPerf, machine: capable(unix.CAP_SYS_ADMIN, unix.CAP_SYS_PTRACE),
			change: func(m *machine) { m.uprobePMU, m.tracefs = false, false }, err: ErrTracefs, text: "mount -t tracefs",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.change != nil {
				tt.change(&tt.machine)
			}
			err := tt.machine.check(tt.mechanism)
			require.ErrorIs(t, err, tt.err)
			if tt.err != nil {
				assert.ErrorContains(t, err, tt.text)
			}
		})
	}
}

func TestParseKernel(t *testing.T) {
	assert.Equal(t, kernelVersion{6, 8}, parseKernel("6.8.0-31-generic"))
	assert.Equal(t, kernelVersion{5, 15}, parseKernel("5.15"))
	assert.Equal(t, kernelVersion{}, parseKernel("unknown"))
}

func TestParseCapabilities(t *testing.T) {
	assert.Equal(t, uint64(0x1f), parseCapabilities("Name:\tx\nCapEff:\t000000000000001f\nCapBnd:\t0\n"))
	assert.Zero(t, parseCapabilities("CapEff:\tzz\n"))
}
