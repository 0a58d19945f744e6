//go:build amd64 || arm64

package capture

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// requireKernel skips a test on the real Linux kernel unless it is asked for;
// asked for, a machine that cannot run it fails it.
func requireKernel(t *testing.T) {
	t.Helper()
	if os.Getenv("GPUCAUSE_KERNEL_TESTS") == "" {
		t.Skip("needs root and a Linux kernel with BPF: set GPUCAUSE_KERNEL_TESTS=1")
	}
	offered, err := inspect()
	require.NoError(t, err)
	require.NoError(t, offered.check(MechanismAuto))
}

// requireBench skips a measurement unless it is asked for.
func requireBench(t *testing.T) {
	t.Helper()
	if os.Getenv("GPUCAUSE_BENCH") == "" {
		t.Skip("is a measurement: make bench")
	}
}

// fakecuda is the folder with the simulated CUDA stack, which make builds.
func fakecuda(t *testing.T) string {
	t.Helper()
	out, err := filepath.Abs("../../testdata/fakecuda/out")
	require.NoError(t, err)
	_, err = os.Stat(filepath.Join(out, "libcuda.so.1"))
	require.NoError(t, err, "build it with: make -C testdata/fakecuda")
	return out
}
