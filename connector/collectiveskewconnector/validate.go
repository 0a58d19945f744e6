package collectiveskewconnector

import (
	"errors"
	"fmt"
	"time"
)

// Bounds of what a user may ask for.
const (
	minTTL           = 100 * time.Millisecond
	maxTTL           = time.Hour
	minMinLag        = time.Microsecond
	minClockWindow   = time.Second
	maxClockWindow   = time.Hour
	minFlushInterval = time.Second
	minRanks         = 2
	maxRanks         = 1 << 20
	maxCollectives   = 1 << 24
	maxSpans         = 1 << 26
	maxSeries        = 1 << 20
)

// Validate reports every key whose value cannot work, with what to write instead.
func (c *Config) Validate() error {
	return errors.Join(
		between("ttl", c.TTL, minTTL, maxTTL),
		c.validateMinLag(),
		between("clock_window", c.ClockWindow, minClockWindow, maxClockWindow),
		within("max_collectives", c.MaxCollectives, 1, maxCollectives),
		within("max_ranks", c.MaxRanks, minRanks, maxRanks),
		c.validateMaxSpans(),
		within("max_series", c.MaxSeries, 1, maxSeries),
		c.validateFlush(),
		c.validateExpiration(),
	)
}

func (c *Config) validateMinLag() error {
	if c.MinLag < minMinLag || c.MinLag > c.TTL {
		return fmt.Errorf("min_lag is %s: use %s to %s (ttl)", c.MinLag, minMinLag, c.TTL)
	}
	return nil
}

// validateMaxSpans keeps room for one collective of the largest communicator, or it
// would never be complete.
func (c *Config) validateMaxSpans() error {
	if c.MaxSpans < c.MaxRanks || c.MaxSpans > maxSpans {
		return fmt.Errorf("max_spans is %d: use %d (max_ranks) to %d", c.MaxSpans, c.MaxRanks, maxSpans)
	}
	return nil
}

func (c *Config) validateFlush() error {
	if c.MetricsFlushInterval < minFlushInterval {
		return fmt.Errorf("metrics_flush_interval is %s: use at least %s", c.MetricsFlushInterval, minFlushInterval)
	}
	return nil
}

// validateExpiration keeps every series long enough to be emitted once.
func (c *Config) validateExpiration() error {
	if c.MetricsExpiration < c.MetricsFlushInterval {
		return fmt.Errorf("metrics_expiration is %s: use at least %s (metrics_flush_interval)", c.MetricsExpiration, c.MetricsFlushInterval)
	}
	return nil
}

func between(key string, got, least, most time.Duration) error {
	if got < least || got > most {
		return fmt.Errorf("%s is %s: use %s to %s", key, got, least, most)
	}
	return nil
}

func within(key string, got, least, most uint32) error {
	if got < least || got > most {
		return fmt.Errorf("%s is %d: use %d to %d", key, got, least, most)
	}
	return nil
}
