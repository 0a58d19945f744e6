package window

import (
	"math"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// Time is nanoseconds since the Unix epoch, by the clock of whoever wrote the span.
type Time int64

// At returns t as a Time.
func At(t time.Time) Time { return Time(t.UnixNano()) }

// Of returns the time of a span's timestamp. It reports false where it is beyond
// what a Time holds, which is the year 2262.
func Of(t pcommon.Timestamp) (Time, bool) {
	return Time(t), t <= math.MaxInt64
}

// Add returns t later by d, or the first or last Time where it would be beyond.
func (t Time) Add(d time.Duration) Time {
	sum := t + Time(d)
	switch {
	case d > 0 && sum < t:
		return math.MaxInt64
	case d < 0 && sum > t:
		return math.MinInt64
	}
	return sum
}

// Timestamp returns t for a span. A time before the epoch is the epoch.
func (t Time) Timestamp() pcommon.Timestamp { return pcommon.Timestamp(max(t, 0)) }

// Window is the interval [Start, End). Where End is not after Start it is empty.
type Window struct {
	Start, End Time
}

// Empty reports whether nothing is in w.
func (w Window) Empty() bool { return w.End <= w.Start }

// Duration returns the length of w: 0 where it is empty, and at most what a
// Duration holds.
func (w Window) Duration() time.Duration {
	if w.Empty() {
		return 0
	}
	if d := w.End - w.Start; d > 0 {
		return time.Duration(d)
	}
	return math.MaxInt64
}

// And returns what is in both windows.
func (w Window) And(other Window) Window {
	return Window{Start: max(w.Start, other.Start), End: min(w.End, other.End)}
}

// Hull returns the smallest window around both; an empty one has no part in it.
func (w Window) Hull(other Window) Window {
	switch {
	case w.Empty():
		return other
	case other.Empty():
		return w
	}
	return Window{Start: min(w.Start, other.Start), End: max(w.End, other.End)}
}

// Contains reports whether all of other is in w.
func (w Window) Contains(other Window) bool { return w.Start <= other.Start && other.End <= w.End }
