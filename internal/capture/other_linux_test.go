//go:build amd64 || arm64

package capture

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
)

// Another tracer of the same functions that comes and goes costs no calls and
// invents none.
func TestOtherTracer(t *testing.T) {
	r := startRecorder(t, DefaultSettings())
	stop, stopped := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		for {
			select {
			case <-stop:
				stopped <- n
				return
			default:
			}
			settings := DefaultSettings()
			settings.Mechanism = MechanismMulti
			other, err := Open(context.Background(), settings, zap.NewNop())
			if err == nil {
				_ = other.Close()
				n++
			}
		}
	}()
	tr := r.run("repeat 500000 { cudaLaunchKernel func=gemm }\n")
	close(stop)
	t.Logf("%d times", <-stopped)
	require.NotEmpty(t, tr.counts)
	assert.Equal(t, tr.counts, r.counts())
	report := r.session.Report()
	assert.Zero(t, report.AbandonedCalls)
	assert.Zero(t, report.UnmatchedReturns)
}
