//go:build amd64 || arm64

package capture

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// sinceKernel is the first Linux version in which a mechanism attaches.
var sinceKernel = map[Mechanism]kernelVersion{
	MechanismPerf:    minKernel,
	MechanismMulti:   multiKernel,
	MechanismSession: {6, 13},
}

// requireMechanism skips a test where the Linux kernel is too old for the
// mechanism: the only reason for which a test on the real Linux kernel that was
// asked for may skip. testdata/kernels/run.sh knows it by its words.
func requireMechanism(t *testing.T, m Mechanism) {
	t.Helper()
	requireKernel(t)
	offered, err := inspect()
	require.NoError(t, err)
	if since := sinceKernel[m]; offered.kernel.before(since) {
		t.Skipf("mechanism %s needs Linux %s, this is %s", m, since, offered.kernel)
	}
}

// untilAttached is a script that waits as long as it may take at most until
// libraries that were mapped just now are probed. Each perf uprobe takes the Linux
// kernel some milliseconds, and before 6.6 there is nothing else.
func untilAttached(t *testing.T) string {
	t.Helper()
	if onlyPerf(t) {
		return "sleep 3s\n"
	}
	return "sleep 300ms\n"
}

// untilDetached is how long that may take after Close.
func untilDetached(t *testing.T) time.Duration {
	t.Helper()
	if onlyPerf(t) {
		return time.Minute
	}
	return 5 * time.Second
}

func onlyPerf(t *testing.T) bool {
	t.Helper()
	offered, err := inspect()
	require.NoError(t, err)
	return offered.kernel.before(multiKernel)
}
