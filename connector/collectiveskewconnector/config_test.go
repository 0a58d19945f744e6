package collectiveskewconnector

import (
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"

	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/engine"
	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/measurement"
	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/pairing"
	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/verdict"
)

func testConfig() *Config {
	config, _ := createDefaultConfig().(*Config)
	return config
}

func load(t *testing.T, name string) (*Config, error) {
	t.Helper()
	all, err := confmaptest.LoadConf("testdata/config.yaml")
	require.NoError(t, err)
	sub, err := all.Sub(name)
	require.NoError(t, err)
	config := testConfig()
	return config, sub.Unmarshal(config)
}

func TestDefaultConfigIsValid(t *testing.T) {
	config, err := load(t, "collectiveskew")
	require.NoError(t, err)
	require.NoError(t, confmap.Validate(config))
	assert.Equal(t, testConfig(), config)
}

func TestEveryKey(t *testing.T) {
	config, err := load(t, "collectiveskew/all")
	require.NoError(t, err)
	require.NoError(t, confmap.Validate(config))
	assert.Equal(t, &Config{
		TTL: 10 * time.Second, MinLag: 2 * time.Millisecond, ClockWindow: 30 * time.Second,
		MaxCollectives: 1000, MaxSpans: 20000, MaxRanks: 512, MaxSeries: 300,
		MetricsFlushInterval: 5 * time.Second, MetricsExpiration: time.Minute,
	}, config)
	assert.Equal(t, engine.Settings{
		Pairing: pairing.Settings{TTL: 10 * time.Second, MaxCollectives: 1000, MaxReports: 20000, MaxRanks: 512},
		Judging: verdict.Settings{MinLag: 2 * time.Millisecond, TTL: 10 * time.Second, ClockWindow: 30 * time.Second},
	}, config.engine())
	assert.Equal(t, measurement.Settings{MaxSeries: 300, Expiration: time.Minute, MinLag: 2 * time.Millisecond}, config.measurement())
}

func TestInvalidConfigsSayWhatToWrite(t *testing.T) {
	for name, message := range map[string]string{
		"ttl":          "ttl is 10ms: use 100ms to 1h0m0s",
		"long_ttl":     "ttl is 2h0m0s: use 100ms to 1h0m0s",
		"min_lag":      "min_lag is 0s: use 1µs to 30s (ttl)",
		"long_min_lag": "min_lag is 2s: use 1µs to 1s (ttl)",
		"clock_window": "clock_window is 10ms: use 1s to 1h0m0s",
		"collectives":  "max_collectives is 0: use 1 to 16777216",
		"ranks":        "max_ranks is 1: use 2 to 1048576",
		"spans":        "max_spans is 1000: use 1024 (max_ranks) to 67108864",
		"series":       "max_series is 0: use 1 to 1048576",
		"flush":        "metrics_flush_interval is 10ms: use at least 1s",
		"expiration":   "metrics_expiration is 30s: use at least 1m0s (metrics_flush_interval)",
	} {
		t.Run(name, func(t *testing.T) {
			config, err := load(t, "collectiveskew/"+name)
			require.NoError(t, err)
			assert.ErrorContains(t, confmap.Validate(config), message)
		})
	}
}

func TestUnknownKeyIsAnError(t *testing.T) {
	_, err := load(t, "collectiveskew/unknown")
	require.ErrorContains(t, err, "bogus")
}

func TestEveryKeyIsDocumented(t *testing.T) {
	page, err := os.ReadFile("README.md")
	require.NoError(t, err)
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Config]()) {
		assert.Contains(t, string(page), "| `"+field.Tag.Get("mapstructure")+"` |")
	}
}
