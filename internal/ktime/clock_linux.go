package ktime

import (
	"fmt"
	"math"

	"golang.org/x/sys/unix"
)

// samples is how many paired readings one estimate of the offset takes; the
// pair read in the least time bounds the error best.
const samples = 5

// Now reads CLOCK_MONOTONIC.
func Now() (Time, error) { return read(unix.CLOCK_MONOTONIC) }

// MeasureOffset estimates the current offset between the monotonic and the wall
// clock. The error is at most half of the time that the best pair of readings
// took, which is below a microsecond on an idle machine.
func MeasureOffset() (Offset, error) {
	best, bestTook := Offset(0), Time(math.MaxInt64)
	for range samples {
		offset, took, err := measureOnce()
		if err != nil {
			return 0, err
		}
		if took < bestTook {
			best, bestTook = offset, took
		}
	}
	return best, nil
}

func measureOnce() (Offset, Time, error) {
	before, err := Now()
	if err != nil {
		return 0, 0, err
	}
	wall, err := read(unix.CLOCK_REALTIME)
	if err != nil {
		return 0, 0, err
	}
	after, err := Now()
	if err != nil {
		return 0, 0, err
	}
	took := after - before
	return Offset(wall - before - took/2), took, nil
}

func read(clock int32) (Time, error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(clock, &ts); err != nil {
		return 0, fmt.Errorf("reading clock %d: %w", clock, err)
	}
	return Time(ts.Nano()), nil
}
