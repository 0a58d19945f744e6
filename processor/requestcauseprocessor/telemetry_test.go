package requestcauseprocessor

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/metadata"
)

// count returns the value of one of the component's own metrics, over all
// attributes or those with the given ones; 0 where there is none.
func (f *fixture) count(t testing.TB, name string, with ...attribute.KeyValue) int64 {
	t.Helper()
	var sum int64
	for _, point := range f.points(t, name) {
		matches := true
		for _, want := range with {
			got, ok := point.Attributes.Value(want.Key)
			matches = matches && ok && got == want.Value
		}
		if matches {
			sum += point.Value
		}
	}
	return sum
}

func (f *fixture) points(t testing.TB, name string) []metricdata.DataPoint[int64] {
	t.Helper()
	got, err := f.telemetry.GetMetric("otelcol_" + name)
	if err != nil {
		got, err = f.telemetry.GetMetric(name)
	}
	if err != nil {
		return nil
	}
	switch data := got.Data.(type) {
	case metricdata.Sum[int64]:
		return data.DataPoints
	case metricdata.Gauge[int64]:
		return data.DataPoints
	}
	require.Fail(t, "unknown kind of metric", "%s is %T", name, got.Data)
	return nil
}

// TestMetricsMayBeReadFromTheBeginning reads them while instances are made; the
// race detector is what it is for.
func TestMetricsMayBeReadFromTheBeginning(t *testing.T) {
	telemetry := componenttest.NewTelemetry()
	settings := processortest.NewNopSettings(metadata.Type)
	settings.TelemetrySettings = telemetry.NewTelemetrySettings()
	made := make(chan struct{})
	var reader sync.WaitGroup
	reader.Go(func() {
		for {
			select {
			case <-made:
				return
			default:
				var all metricdata.ResourceMetrics
				assert.NoError(t, telemetry.Reader.Collect(context.Background(), &all))
			}
		}
	})
	for _, mode := range []Mode{ModeJoin, ModeResolve} {
		for range 20 {
			config := createDefaultConfig().(*Config)
			config.Mode = mode
			created, err := NewFactory().CreateTraces(context.Background(), settings, config, consumertest.NewNop())
			require.NoError(t, err)
			require.NoError(t, created.Shutdown(context.Background()))
		}
	}
	close(made)
	reader.Wait()
	require.NoError(t, telemetry.Shutdown(context.Background()))
}
