package measurement

import (
	"math"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"
)

// The histograms have the bounds of the receiver's: scale 3, from 2^-24 s (60 ns)
// to 2^17 s (36 hours).
const (
	scale    = 3
	minIndex = -24 << scale
	maxIndex = 17<<scale - 1
)

var zeroThreshold = math.Ldexp(1, -24)

// histogram is a cumulative distribution that holds only the range of buckets in
// use: counts[i] is bucket first+i.
type histogram struct {
	sum    float64 // seconds
	count  uint64
	zero   uint64
	first  int
	counts []uint64
}

// add counts a duration, which is not negative.
func (h *histogram) add(d time.Duration) {
	seconds := d.Seconds()
	h.sum += seconds
	h.count++
	if seconds <= zeroThreshold {
		h.zero++
		return
	}
	i := index(seconds)
	h.reach(i)
	h.counts[i-h.first]++
}

// index returns the bucket of a value: bucket i is (2^(i/8), 2^((i+1)/8)].
func index(value float64) int {
	fraction, exponent := math.Frexp(value) // value = fraction * 2^exponent, fraction in [0.5, 1)
	i := (exponent - 1) << scale
	for k := 1<<scale - 1; k >= 0; k-- {
		if fraction > bounds[k] {
			return min(i+k, maxIndex)
		}
	}
	return max(i-1, minIndex) // a power of two is the upper bound of the bucket below
}

// bounds are 2^(k/8-1): the lower bounds of the buckets within a power of two, as
// fractions.
var bounds = [1 << scale]float64{
	0.5, 0.5452538663326288, 0.5946035575013605, 0.6484197773255048,
	0.7071067811865476, 0.7711054127039704, 0.8408964152537145, 0.9170040432046712,
}

// reach makes room for bucket i.
func (h *histogram) reach(i int) {
	switch {
	case len(h.counts) == 0:
		h.first, h.counts = i, make([]uint64, 1)
	case i < h.first:
		h.counts = append(make([]uint64, h.first-i), h.counts...)
		h.first = i
	case i >= h.first+len(h.counts):
		h.counts = append(h.counts, make([]uint64, i+1-h.first-len(h.counts))...)
	}
}

func (h *histogram) copyTo(point pmetric.ExponentialHistogramDataPoint) {
	point.SetScale(scale)
	point.SetZeroThreshold(zeroThreshold)
	point.SetZeroCount(h.zero)
	point.SetCount(h.count)
	point.SetSum(h.sum)
	if len(h.counts) > 0 {
		point.Positive().SetOffset(int32(h.first))
		point.Positive().BucketCounts().FromRaw(h.counts)
	}
}
