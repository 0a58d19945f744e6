package measurement

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/golden"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/pdatatest/pmetrictest"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/scenario"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files")

const testdata = "../../testdata"

// TestGolden checks every metric: of ranks that are late, within a host and across
// hosts, of some that do not agree, and of a missing one.
func TestGolden(t *testing.T) {
	a := newAggregator(100)
	for _, name := range []string{
		"late-with-its-own-cause", "late-by-its-ledger", "hosts-with-a-clock-error", "hosts-seen-for-the-first-time",
		"desynchronized", "missing-rank", "late-and-nobody-waited",
	} {
		tell(t, a, name)
	}
	requireGolden(t, "every-metric", a.Metrics(scenario.Epoch.Add(time.Minute)))
}

func TestGoldenOverflow(t *testing.T) {
	a := newAggregator(2)
	for _, name := range []string{"late-with-its-own-cause", "late-by-its-ledger", "desynchronized"} {
		tell(t, a, name)
	}
	require.EqualValues(t, 5, a.Overflowed())
	requireGolden(t, "overflow", a.Metrics(scenario.Epoch.Add(time.Minute)))
}

func newAggregator(maxSeries int) *Aggregator {
	resource := pcommon.NewMap()
	resource.PutStr("service.instance.id", "gateway-1")
	return NewAggregator(Settings{
		MaxSeries: maxSeries, Expiration: time.Minute, MinLag: time.Millisecond, Resource: resource, Version: "0.0.0-test",
	}, scenario.Epoch)
}

// tell adds the verdicts of a story.
func tell(t *testing.T, a *Aggregator, name string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(testdata, "scenarios", name+".txt"))
	require.NoError(t, err)
	script, _, _ := strings.Cut(string(text), "---\n")
	story, err := scenario.Parse(script)
	require.NoError(t, err)
	story.Run(a.Add)
}

func requireGolden(t *testing.T, name string, got pmetric.Metrics) {
	t.Helper()
	path := filepath.Join(testdata, "golden", "metrics", name+".yaml")
	if *rewrite {
		require.NoError(t, golden.WriteMetricsToFile(path, got, golden.SkipMetricTimestampNormalization()))
	}
	want, err := golden.ReadMetrics(path)
	require.NoError(t, err)
	require.NoError(t, pmetrictest.CompareMetrics(want, got, pmetrictest.IgnoreMetricsOrder(), pmetrictest.IgnoreMetricDataPointsOrder()))
}
