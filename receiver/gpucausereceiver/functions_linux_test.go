package gpucausereceiver

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/gpucause/gpucause/receiver/gpucausereceiver/internal/metadata"
)

// A program that launched before it was traced has its functions named all the
// same, on spans by its symbols, and in the metrics where that is wanted.
func TestFunctionsOfAProgramAttachedLate(t *testing.T) {
	requireKernelTests(t)
	workload := rehearse(t, 0, workloadProgram, `
cudaLaunchKernel func=gemm
`+whenTraced+`
inside cuLaunchKernel { sleep 20ms }
cudaLaunchKernel func=gemm
repeat 10 { cudaLaunchKernel func=gemm; cudaLaunchKernel func=rmsnorm }
cudaStreamSynchronize
sleep 300ms
`, "-")
	var traces consumertest.TracesSink
	var metrics consumertest.MetricsSink
	config := testConfig()
	config.Stalls.Mode, config.Calls.ByFunction = StallModeAll, true
	f, settings := NewFactory(), receivertest.NewNopSettings(metadata.Type)
	forTraces, err := f.CreateTraces(t.Context(), settings, config, &traces)
	require.NoError(t, err)
	forMetrics, err := f.CreateMetrics(t.Context(), settings, config, &metrics)
	require.NoError(t, err)
	require.NoError(t, forTraces.Start(t.Context(), componenttest.NewNopHost()))
	require.NoError(t, forMetrics.Start(t.Context(), componenttest.NewNopHost()))
	pid := workload.perform(t)
	require.NoError(t, forTraces.Shutdown(t.Context()))
	require.NoError(t, forMetrics.Shutdown(t.Context()))

	s := storyOf(t, &traces, pid)
	assert.Equal(t, "gemm_kernel<__half, 128, 128>", attr(s.launch(), "cuda.function.name"))
	assert.Equal(t, map[string]uint64{"gemm_kernel<__half, 128, 128>": 11, "vllm::rms_norm_kernel<c10::Half>": 10},
		launchesByFunction(&metrics, pid))
}

// launchesByFunction returns how often a process called cudaLaunchKernel, by launched function.
func launchesByFunction(sink *consumertest.MetricsSink, pid int64) map[string]uint64 {
	launches := map[string]uint64{}
	for _, point := range callPoints(sink) {
		if point.pid == pid && text(point.Attributes(), "cuda.call.name") == "cudaLaunchKernel" {
			name := text(point.Attributes(), "cuda.function.name")
			launches[name] = max(launches[name], point.Count())
		}
	}
	return launches
}
