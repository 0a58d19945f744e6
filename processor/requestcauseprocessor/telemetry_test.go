package requestcauseprocessor

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
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
