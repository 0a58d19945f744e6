//go:build amd64 || arm64

package capture

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// From Linux 6.13 a uprobe program (or a function of it) with 64 bytes of stack or
// more, rounded up to 16, gets a per-CPU one. Preempted there by another run of
// itself, it goes on with the other's values, and the Linux kernel crashes.
func TestUprobeProgramsUseSmallStacks(t *testing.T) {
	for _, mechanism := range []Mechanism{MechanismMulti, MechanismSession} {
		t.Run(mechanism.String(), func(t *testing.T) {
			requireMechanism(t, mechanism)
			// With everything that is optional: what is off is no part of the program.
			settings := DefaultSettings()
			settings.SplitFunctions, settings.ThreadSpans, settings.SharedSpans = true, true, "/sys/fs/bpf"
			spec, err := prepare(settings, mechanism)
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
				depths := stackDepths(t, program.VerifierLog)
				t.Logf("%s: stack depths %d", name, depths)
				for _, bytes := range depths {
					assert.LessOrEqual(t, bytes, 48, "%s: %d", name, depths)
				}
			}
		})
	}
}

// stackDepths reads the bytes of stack that a program and its functions take from
// the verifier's log: "stack depth 56+0+16", in newer ones a line per function that
// ends in "stack 56".
func stackDepths(t *testing.T, log string) []int {
	t.Helper()
	var texts []string
	if sum := regexp.MustCompile(`stack depth ([0-9+]+)`).FindStringSubmatch(log); sum != nil {
		texts = strings.Split(sum[1], "+")
	}
	for _, function := range regexp.MustCompile(`(?m)^subprog .* stack (\d+)$`).FindAllStringSubmatch(log, -1) {
		texts = append(texts, function[1])
	}
	require.NotEmpty(t, texts, log)
	depths := make([]int, len(texts))
	for i, text := range texts {
		bytes, err := strconv.Atoi(text)
		require.NoError(t, err)
		depths[i] = bytes
	}
	return depths
}
