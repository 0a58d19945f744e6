//go:build amd64 || arm64

package capture

import (
	"regexp"
	"strconv"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// From Linux 6.13 a uprobe program (or a part of it) with 64 bytes of stack or
// more gets a per-CPU one, on which it can be preempted by another run of itself.
func TestUprobeProgramsUseSmallStacks(t *testing.T) {
	depth := regexp.MustCompile(`stack depth ([0-9+]+)`)
	for _, mechanism := range []Mechanism{MechanismMulti, MechanismSession} {
		t.Run(mechanism.String(), func(t *testing.T) {
			requireMechanism(t, mechanism)
			spec, err := prepare(DefaultSettings(), mechanism)
			require.NoError(t, err)
			collection, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{
				Programs: ebpf.ProgramOptions{LogLevel: ebpf.LogLevelStats, LogSizeStart: 1 << 16},
			})
			require.NoError(t, err)
			defer collection.Close()
			for name, program := range collection.Programs {
				if program.Type() != ebpf.Kprobe {
					continue
				}
				found := depth.FindStringSubmatch(program.VerifierLog)
				require.NotEmpty(t, found, program.VerifierLog)
				t.Logf("%s: stack depth %s", name, found[1])
				for _, part := range regexp.MustCompile(`\d+`).FindAllString(found[1], -1) {
					bytes, err := strconv.Atoi(part)
					require.NoError(t, err)
					assert.Less(t, bytes, 64, "%s: %s", name, found[0])
				}
			}
		})
	}
}
