package topology

import (
	"math/rand/v2"
	"testing"

	"github.com/open-telemetry/opentelemetry-collector-contrib/exporter/loadbalancingexporter"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// agent is the Collector of one node: its ranks' spans, and a load-balancing exporter.
type agent struct {
	node     int
	exporter exporter.Traces
}

func newAgent(t *testing.T, node int, endpoints []any) *agent {
	factory := loadbalancingexporter.NewFactory()
	config := factory.CreateDefaultConfig()
	require.NoError(t, confmap.NewFromStringMap(map[string]any{
		"routing_key": "traceID",
		"protocol":    map[string]any{"otlp": map[string]any{"tls": map[string]any{"insecure": true}}},
		"resolver":    map[string]any{"static": map[string]any{"hostnames": endpoints}},
	}).Unmarshal(config))
	e, err := factory.CreateTraces(t.Context(), exportertest.NewNopSettings(factory.Type()), config)
	require.NoError(t, err)
	require.NoError(t, e.Start(t.Context(), componenttest.NewNopHost()))
	return &agent{node: node, exporter: e}
}

// send exports what the node's ranks report of acts, some collectives at a time, in an order
// of its own.
func (a *agent) send(t *testing.T, acts []act) {
	random := rand.New(rand.NewPCG(uint64(a.node), 7))
	order := random.Perm(len(acts))
	for len(order) > 0 {
		n := min(1+random.IntN(20), len(order))
		traces := ptrace.NewTraces()
		for _, i := range order[:n] {
			acts[i].report(traces, a.node)
		}
		order = order[n:]
		assert.NoError(t, a.exporter.ConsumeTraces(t.Context(), traces))
	}
}
