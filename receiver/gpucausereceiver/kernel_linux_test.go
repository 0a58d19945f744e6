package gpucausereceiver

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/gpucause/gpucause/receiver/gpucausereceiver/internal/metadata"
)

const engine = "../../testdata/fakecuda/out/engine"

// TestRealKernel traces the simulated inference engine with the real probes:
// its calls are in the metrics and its first launches in the traces, under the
// service name that it declares.
func TestRealKernel(t *testing.T) {
	requireKernelTests(t)
	var traces consumertest.TracesSink
	var metrics consumertest.MetricsSink
	f := NewFactory()
	config := testConfig()
	config.CollectionInterval = time.Second
	settings := receivertest.NewNopSettings(metadata.Type)
	forTraces, err := f.CreateTraces(t.Context(), settings, config, &traces)
	require.NoError(t, err)
	forMetrics, err := f.CreateMetrics(t.Context(), settings, config, &metrics)
	require.NoError(t, err)
	require.NoError(t, forTraces.Start(t.Context(), componenttest.NewNopHost()))
	require.NoError(t, forMetrics.Start(t.Context(), componenttest.NewNopHost()))

	workload := exec.CommandContext(t.Context(), engine, "--seconds=3", "--dir="+t.TempDir())
	workload.Env = append(os.Environ(), "OTEL_SERVICE_NAME=simulated-engine")
	output, err := workload.CombinedOutput()
	require.NoError(t, err, string(output))

	begun := time.Now()
	require.NoError(t, forTraces.Shutdown(t.Context()))
	require.NoError(t, forMetrics.Shutdown(t.Context()))
	assert.Less(t, time.Since(begun), 5*time.Second)
	assert.Contains(t, services(&traces), "simulated-engine")
	assert.Contains(t, callsCounted(&metrics), "cudaLaunchKernel")
	assertStatesSumToWallTime(t, &metrics)
}

// assertStatesSumToWallTime checks the ledger of every dispatcher in every
// emission against its own time.
func assertStatesSumToWallTime(t testing.TB, sink *consumertest.MetricsSink) {
	t.Helper()
	checked := 0
	for _, batch := range sink.AllMetrics() {
		points := sumPoints(batch, "dispatch.time")
		sums, elapsed := map[string]float64{}, map[string]time.Duration{}
		for _, point := range points.All() {
			tid := text(point.Attributes(), "thread.id")
			sums[tid] += point.DoubleValue()
			elapsed[tid] = point.Timestamp().AsTime().Sub(point.StartTimestamp().AsTime())
		}
		for tid, sum := range sums {
			assert.InEpsilon(t, elapsed[tid].Seconds(), sum, 0.001, tid)
			checked++
		}
	}
	assert.Positive(t, checked)
}

func services(sink *consumertest.TracesSink) map[string]int {
	found := map[string]int{}
	for _, batch := range sink.AllTraces() {
		for _, resource := range batch.ResourceSpans().All() {
			if name, ok := resource.Resource().Attributes().Get("service.name"); ok {
				found[name.Str()] += resource.ScopeSpans().At(0).Spans().Len()
			}
		}
	}
	return found
}

// callsCounted returns the functions in gpu.cuda.call.duration.
func callsCounted(sink *consumertest.MetricsSink) map[string]uint64 {
	found := map[string]uint64{}
	for _, point := range callPoints(sink) {
		name := text(point.Attributes(), "cuda.call.name")
		found[name] = max(found[name], point.Count())
	}
	return found
}

// callPoint is a point of gpu.cuda.call.duration.
type callPoint struct {
	pmetric.ExponentialHistogramDataPoint
	pid int64
}

func callPoints(sink *consumertest.MetricsSink) []callPoint {
	var points []callPoint
	for _, batch := range sink.AllMetrics() {
		for _, resource := range batch.ResourceMetrics().All() {
			pid, _ := resource.Resource().Attributes().Get("process.pid")
			for _, metric := range resource.ScopeMetrics().At(0).Metrics().All() {
				if metric.Name() != "gpu.cuda.call.duration" {
					continue
				}
				for _, point := range metric.ExponentialHistogram().DataPoints().All() {
					points = append(points, callPoint{point, pid.Int()})
				}
			}
		}
	}
	return points
}
