package collectiveskewconnector

import (
	"time"

	"go.opentelemetry.io/collector/component"

	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/engine"
	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/measurement"
	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/pairing"
	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/verdict"
)

// Config is what users write under `collectiveskew:`. README.md documents every key.
type Config struct {
	// TTL is how long the other ranks of a collective are waited for, from its first
	// span on.
	TTL time.Duration `mapstructure:"ttl"`
	// MinLag is the lag from which a rank is late, and the wait from which another
	// waited.
	MinLag time.Duration `mapstructure:"min_lag"`
	// ClockWindow is how long what collectives said about the clocks of hosts is
	// remembered.
	ClockWindow time.Duration `mapstructure:"clock_window"`
	// MaxCollectives bounds the collectives that wait for other ranks, and those that
	// are remembered after their end. Beyond it the oldest ends early.
	MaxCollectives uint32 `mapstructure:"max_collectives"`
	// MaxSpans bounds the spans in the collectives that wait. Beyond it the oldest
	// collective ends early.
	MaxSpans uint32 `mapstructure:"max_spans"`
	// MaxRanks is the largest communicator that is accepted.
	MaxRanks uint32 `mapstructure:"max_ranks"`
	// MaxSeries bounds the series of all metrics; the rest counts in one series per
	// metric with otel.metric.overflow.
	MaxSeries uint32 `mapstructure:"max_series"`
	// MetricsFlushInterval is the time between two emissions of the metrics.
	MetricsFlushInterval time.Duration `mapstructure:"metrics_flush_interval"`
	// MetricsExpiration is how long a series lasts to which nothing is added.
	MetricsExpiration time.Duration `mapstructure:"metrics_expiration"`
}

func createDefaultConfig() component.Config {
	return &Config{
		TTL:                  30 * time.Second,
		MinLag:               time.Millisecond,
		ClockWindow:          time.Minute,
		MaxCollectives:       1 << 16,
		MaxSpans:             1 << 19,
		MaxRanks:             1 << 16,
		MaxSeries:            10_000,
		MetricsFlushInterval: 15 * time.Second,
		MetricsExpiration:    10 * time.Minute,
	}
}

func (c *Config) engine() engine.Settings {
	return engine.Settings{
		Pairing: pairing.Settings{
			TTL:            c.TTL,
			MaxCollectives: int(c.MaxCollectives),
			MaxReports:     int(c.MaxSpans),
			MaxRanks:       int32(c.MaxRanks),
		},
		Judging: verdict.Settings{MinLag: c.MinLag, TTL: c.TTL, ClockWindow: c.ClockWindow},
	}
}

func (c *Config) measurement() measurement.Settings {
	return measurement.Settings{
		MaxSeries:  int(c.MaxSeries),
		Expiration: c.MetricsExpiration,
		MinLag:     c.MinLag,
	}
}
