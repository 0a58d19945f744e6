//go:build amd64 || arm64

package capture

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestReturnProbesAreSafe(t *testing.T) {
	requireKernel(t)
	for _, m := range mechanisms {
		t.Run(m.String(), func(t *testing.T) {
			requireMechanism(t, m)
			judged, err := judgeReturnProbes(m)
			require.NoError(t, err)
			assert.Equal(t, verdict{safe: true}, judged)
		})
	}
}
