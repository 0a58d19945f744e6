package measurement

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/gpucause/gpucause/internal/event"
)

// Launches that are counted by launched function have a series per name: handles
// of one name share it, and what has no name or no handle is apart.
func TestLaunchesByFunction(t *testing.T) {
	names := map[uint64]string{1: "gemm", 2: "gemm", 3: "silu"}
	a := NewAggregator(Settings{
		MaxSeriesPerProcess: 100, MaxSeries: 100,
		FunctionName: func(_ event.ProcessID, handle uint64) string { return names[handle] },
	})
	launch := func(function uint64, n uint32) event.CallSample {
		return event.CallSample{
			Process: engine, Task: engineThread, Probe: probeOf(t, "cudaLaunchKernel"), Function: function,
			Since: second, Durations: durations(time.Millisecond, n),
		}
	}
	a.Add(&event.Snapshot{At: 10 * second, Calls: []event.CallSample{launch(1, 3), launch(2, 4), launch(3, 5), launch(9, 6), launch(0, 7)}}, 0)
	a.AddExemplar(Exemplar{Process: engine, TID: engineThread.Thread.TID, Probe: probeOf(t, "cudaLaunchKernel"), Function: 3})

	counts, exemplars := map[string]uint64{}, map[string]int{}
	for _, metric := range a.Metrics(0, describe).ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
		if metric.Name() != "gpu.cuda.call.duration" {
			continue
		}
		for _, point := range metric.ExponentialHistogram().DataPoints().All() {
			name := ""
			if value, ok := point.Attributes().Get("cuda.function.name"); ok {
				name = value.Str()
			}
			counts[name] += point.Count()
			exemplars[name] += point.Exemplars().Len()
		}
	}
	assert.Equal(t, map[string]uint64{"gemm": 7, "silu": 5, "unknown": 6, "": 7}, counts)
	assert.Equal(t, map[string]int{"gemm": 0, "silu": 1, "unknown": 0, "": 0}, exemplars)
}
