package capture

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What the child of TestCanaryWhereExecutionIsRestricted is told.
const (
	canaryNoexec    = "GPUCAUSE_TEST_MEMFD_NOEXEC"
	canaryMechanism = "GPUCAUSE_TEST_MECHANISM"
	canaryWanted    = "GPUCAUSE_TEST_CANARY"
)

// The limits of vm.memfd_noexec are those of a PID namespace: the canary is
// judged in a child of this test that has one of its own.
func TestCanaryWhereExecutionIsRestricted(t *testing.T) {
	if noexec, ok := os.LookupEnv(canaryNoexec); ok {
		judgeCanary(t, noexec)
		return
	}
	for name, test := range map[string]struct{ noexec, temporary, want string }{
		"executable on demand only":  {"1", t.TempDir(), "safe"},
		"no executable memory files": {"2", t.TempDir(), "safe"},
		"no temporary files either":  {"2", "/nonexistent", "not run"},
	} {
		for _, m := range mechanisms {
			t.Run(name+" "+m.String(), func(t *testing.T) {
				requireMechanism(t, m)
				child := exec.Command("/proc/self/exe", "-test.run=^TestCanaryWhereExecutionIsRestricted$", "-test.v")
				child.Env = append(os.Environ(), canaryNoexec+"="+test.noexec, canaryMechanism+"="+m.String(),
					canaryWanted+"="+test.want, "TMPDIR="+test.temporary)
				child.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
				output, err := child.CombinedOutput()
				require.NoError(t, err, "%s", output)
				assert.Contains(t, string(output), "--- PASS")
				left, err := filepath.Glob(filepath.Join(test.temporary, "gpucause-canary-*"))
				require.NoError(t, err)
				assert.Empty(t, left)
			})
		}
	}
}

// judgeCanary runs in the child.
func judgeCanary(t *testing.T, noexec string) {
	err := os.WriteFile("/proc/sys/vm/memfd_noexec", []byte(noexec), 0o644)
	if errors.Is(err, os.ErrNotExist) {
		t.Log("Linux before 6.3 does not restrict memory files")
		return
	}
	require.NoError(t, err)
	wanted := func(m Mechanism) bool { return m.String() == os.Getenv(canaryMechanism) }
	judged, err := judgeReturnProbes(mechanisms[slices.IndexFunc(mechanisms, wanted)])
	require.NoError(t, err)
	if os.Getenv(canaryWanted) == "safe" {
		assert.Equal(t, verdict{safe: true}, judged)
		return
	}
	assert.False(t, judged.safe)
	assert.Contains(t, judged.reason, errNotRun.Error())
}
