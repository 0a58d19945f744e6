package measurement

import (
	"math"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/gpucause/gpucause/internal/event"
)

// zeroThreshold is 2^-24 s: [event.Histogram] counts values up to it as zero.
const zeroThreshold = 1.0 / (1 << 24)

// histogram is a cumulative distribution that holds only the range of buckets
// in use: counts[i] is bucket first+i.
type histogram struct {
	sum    time.Duration
	count  uint64
	zero   uint64
	first  int
	counts []uint64
}

func (h *histogram) add(increment *event.Histogram) {
	h.sum += increment.Sum
	h.zero += uint64(increment.Zero)
	h.count += uint64(increment.Zero)
	for i, n := range &increment.Buckets {
		if n == 0 {
			continue
		}
		h.reach(i)
		h.counts[i-h.first] += uint64(n)
		h.count += uint64(n)
	}
}

// observe adds one value.
func (h *histogram) observe(d time.Duration) {
	h.sum += d
	h.count++
	if d.Seconds() <= zeroThreshold {
		h.zero++
		return
	}
	index := int(math.Ceil(math.Log2(d.Seconds())*(1<<event.HistogramScale))) - 1 - event.HistogramMinIndex
	index = min(max(index, 0), event.HistogramBuckets-1)
	h.reach(index)
	h.counts[index-h.first]++
}

// merge adds another distribution.
func (h *histogram) merge(more *histogram) {
	h.sum += more.sum
	h.count += more.count
	h.zero += more.zero
	for i, n := range more.counts {
		if n > 0 {
			h.reach(more.first + i)
			h.counts[more.first+i-h.first] += n
		}
	}
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
	point.SetScale(event.HistogramScale)
	point.SetZeroThreshold(zeroThreshold)
	point.SetZeroCount(h.zero)
	point.SetCount(h.count)
	point.SetSum(h.sum.Seconds())
	if len(h.counts) > 0 {
		point.Positive().SetOffset(int32(h.first + event.HistogramMinIndex))
		point.Positive().BucketCounts().FromRaw(h.counts)
	}
}
