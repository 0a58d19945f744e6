//go:build amd64 || arm64

package capture

import (
	"errors"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/stretchr/testify/require"
)

func TestProgramsLoad(t *testing.T) {
	requireKernel(t)
	for _, m := range mechanisms {
		t.Run(m.String(), func(t *testing.T) {
			requireMechanism(t, m)
			settings := DefaultSettings()
			settings.Mechanism = m
			objects, _, _, err := loadObjects(settings)
			var v *ebpf.VerifierError
			if errors.As(err, &v) {
				t.Logf("%+v", v)
			}
			require.NoError(t, err)
			objects.Close()
		})
	}
}
