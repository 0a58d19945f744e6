//go:build amd64 || arm64

package capture

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestReturnProbesSafe(t *testing.T) {
	requireKernel(t)
	for _, m := range []Mechanism{MechanismPerf, MechanismMulti, MechanismSession} {
		t.Run(m.String(), func(t *testing.T) {
			safe, err := returnProbesSafe(m)
			require.NoError(t, err)
			assert.True(t, safe)
		})
	}
}
