package measurement

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/collective"
	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/scenario"
	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/verdict"
)

func at(d time.Duration) time.Time { return scenario.Epoch.Add(d) }

// missing is a verdict that one counter counts.
func missing(communicator string, when time.Duration) *verdict.Verdict {
	return &verdict.Verdict{
		Kind: verdict.MissingRanks, At: at(when),
		Collective: &collective.Collective{
			Key:   collective.Key{Communicator: communicator},
			Calls: []collective.Call{{Operation: collective.AllReduce}},
		},
	}
}

// points returns the points of the only metric.
func points(t *testing.T, metrics pmetric.Metrics) pmetric.NumberDataPointSlice {
	t.Helper()
	require.Equal(t, 1, metrics.MetricCount())
	return metrics.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Sum().DataPoints()
}

func TestNothingIsEmittedOfNothing(t *testing.T) {
	assert.Zero(t, newAggregator(10).Metrics(at(time.Second)).ResourceMetrics().Len())
}

func TestSeriesAreCumulative(t *testing.T) {
	a := newAggregator(10)
	a.Add(missing("c", time.Second))
	first := points(t, a.Metrics(at(10*time.Second))).At(0)
	a.Add(missing("c", 11*time.Second))
	second := points(t, a.Metrics(at(20*time.Second))).At(0)
	assert.EqualValues(t, 1, first.IntValue())
	assert.EqualValues(t, 2, second.IntValue())
	assert.Equal(t, first.StartTimestamp(), second.StartTimestamp())
	assert.Equal(t, pcommon.NewTimestampFromTime(scenario.Epoch), first.StartTimestamp())
	assert.Equal(t, pcommon.NewTimestampFromTime(at(20*time.Second)), second.Timestamp())
}

func TestUnusedSeriesEnd(t *testing.T) {
	a := newAggregator(1)
	a.Add(missing("old", time.Second))
	assert.Equal(t, 1, points(t, a.Metrics(at(62*time.Second))).Len(), "emitted once more")
	assert.Zero(t, a.Metrics(at(70*time.Second)).MetricCount())

	a.Add(missing("old", 75*time.Second))
	again := points(t, a.Metrics(at(80*time.Second))).At(0)
	assert.EqualValues(t, 1, again.IntValue())
	assert.Equal(t, pcommon.NewTimestampFromTime(at(70*time.Second)), again.StartTimestamp(), "it begins anew, after its end")
	assert.Zero(t, a.Overflowed(), "there is room again")
}

func TestSkewsWithLargeErrorsAreNotCounted(t *testing.T) {
	for name, c := range map[string]struct {
		skew    verdict.Skew
		counted bool
	}{
		"exact":                 {verdict.Skew{Time: 5 * time.Millisecond, Known: true}, true},
		"unknown":               {verdict.Skew{Time: 5 * time.Millisecond}, false},
		"within half":           {verdict.Skew{Time: 50 * time.Millisecond, Error: 25 * time.Millisecond, Known: true}, true},
		"more than half":        {verdict.Skew{Time: 50 * time.Millisecond, Error: 26 * time.Millisecond, Known: true}, false},
		"less than what counts": {verdict.Skew{Time: time.Microsecond, Error: time.Millisecond, Known: true}, true},
	} {
		t.Run(name, func(t *testing.T) {
			a, v := newAggregator(10), missing("c", time.Second)
			v.Kind, v.Skew = verdict.OnTime, c.skew
			a.Add(v)
			assert.Equal(t, c.counted, a.Metrics(at(time.Minute)).MetricCount() == 1)
		})
	}
}

// TestBucketsHoldTheirValues compares the index with the definition.
func TestBucketsHoldTheirValues(t *testing.T) {
	for d := 61 * time.Nanosecond; d < 36*time.Hour; d = d*9/8 + 1 {
		i := index(d.Seconds())
		assert.Greater(t, d.Seconds(), math.Exp2(float64(i)/8)*(1-1e-12), d)
		assert.LessOrEqual(t, d.Seconds(), math.Exp2(float64(i+1)/8)*(1+1e-12), d)
	}
	assert.Equal(t, -1, index(1), "an upper bound is in its bucket")
	assert.Equal(t, 0, index(math.Nextafter(1, 2)))
	assert.Equal(t, 7, index(2))
	assert.Equal(t, maxIndex, index(1e9))
	for k, bound := range bounds {
		assert.InEpsilon(t, math.Exp2(float64(k)/8-1), bound, 1e-15)
	}
}

func TestHistogramsCountEverything(t *testing.T) {
	var h histogram
	for _, d := range []time.Duration{0, 10, time.Second, time.Millisecond, time.Hour} {
		h.add(d)
	}
	point := pmetric.NewExponentialHistogramDataPoint()
	h.copyTo(point)
	var inBuckets uint64
	for _, n := range point.Positive().BucketCounts().All() {
		inBuckets += n
	}
	assert.EqualValues(t, 5, point.Count())
	assert.EqualValues(t, 2, point.ZeroCount())
	assert.EqualValues(t, 3, inBuckets)
	assert.InDelta(t, 3601.00100001, point.Sum(), 1e-9)
}
