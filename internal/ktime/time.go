package ktime

import "time"

// Time is an instant of CLOCK_MONOTONIC in nanoseconds since boot, as
// bpf_ktime_get_ns returns it. It stops during suspend. Zero means "not set".
type Time int64

// Sub returns the duration t-u.
func (t Time) Sub(u Time) time.Duration { return time.Duration(t - u) }

// Add returns t+d.
func (t Time) Add(d time.Duration) Time { return t + Time(d) }

// Offset is the distance from the monotonic to the wall clock: wall = monotonic + Offset.
type Offset time.Duration

// Wall returns t as wall time in UTC.
func (o Offset) Wall(t Time) time.Time { return time.Unix(0, int64(t)+int64(o)).UTC() }

// UnixNano returns t as nanoseconds since the Unix epoch.
func (o Offset) UnixNano(t Time) int64 { return int64(t) + int64(o) }
