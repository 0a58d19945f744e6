package topology

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/connector/connectortest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/gpucause/gpucause/connector/collectiveskewconnector"
)

// patience is the connector's ttl: longer than it takes to deliver everything.
const patience = 15 * time.Second

// gateway is what agents send to.
type gateway interface {
	address() string // of its OTLP receiver
	arrived() int
	collectives() map[pcommon.TraceID]bool
	said() []ptrace.Span
	// shutdown ends it; what it counted is known then.
	shutdown(t *testing.T)
	// counted returns a counter of the connector itself, by the value of its attribute.
	counted(t *testing.T, name string) map[string]int64
}

// judge is a connector with what it said.
type judge struct {
	connector.Traces
	*record
	telemetry *componenttest.Telemetry
}

func newJudge(t *testing.T) *judge {
	j := &judge{record: newRecord(), telemetry: componenttest.NewTelemetry()}
	t.Cleanup(func() { _ = j.telemetry.Shutdown(context.Background()) })
	factory := collectiveskewconnector.NewFactory()
	config := factory.CreateDefaultConfig()
	require.NoError(t, confmap.NewFromStringMap(map[string]any{"ttl": patience.String()}).Unmarshal(config))
	settings := connectortest.NewNopSettings(factory.Type())
	settings.TelemetrySettings = j.telemetry.NewTelemetrySettings()
	var err error
	j.Traces, err = factory.CreateTracesToTraces(t.Context(), settings, config, consumerOf(t, j.record))
	require.NoError(t, err)
	require.NoError(t, j.Start(t.Context(), componenttest.NewNopHost()))
	return j
}

// ConsumeTraces notes what arrives, and gives it to the connector.
func (j *judge) ConsumeTraces(ctx context.Context, traces ptrace.Traces) error {
	j.add(traces)
	return j.Traces.ConsumeTraces(ctx, traces)
}

func (j *judge) counted(t *testing.T, name string) map[string]int64 {
	metric, err := j.telemetry.GetMetric("otelcol_" + name)
	require.NoError(t, err)
	sum, ok := metric.Data.(metricdata.Sum[int64])
	require.True(t, ok)
	values := make(map[string]int64)
	for _, point := range sum.DataPoints {
		for _, attribute := range point.Attributes.ToSlice() {
			values[attribute.Value.AsString()] += point.Value
		}
	}
	return values
}

// components is a gateway in this process: a judge behind a real OTLP receiver.
type components struct {
	*judge
	endpoint string
	receiver component.Component
}

func newComponents(t *testing.T) gateway {
	g := &components{judge: newJudge(t), endpoint: freeEndpoint(t)}
	g.receiver = receive(t, g.endpoint, g.judge)
	return g
}

func (g *components) address() string { return g.endpoint }

func (g *components) shutdown(t *testing.T) {
	require.NoError(t, g.receiver.Shutdown(t.Context()))
	require.NoError(t, g.Shutdown(t.Context()))
}

// receive starts an OTLP receiver.
func receive(t *testing.T, endpoint string, next consumer.Traces) component.Component {
	factory := otlpreceiver.NewFactory()
	config := factory.CreateDefaultConfig()
	require.NoError(t, confmap.NewFromStringMap(map[string]any{
		"protocols": map[string]any{"grpc": map[string]any{"endpoint": endpoint}},
	}).Unmarshal(config))
	receiver, err := factory.CreateTraces(t.Context(), receivertest.NewNopSettings(factory.Type()), config, next)
	require.NoError(t, err)
	require.NoError(t, receiver.Start(t.Context(), componenttest.NewNopHost()))
	return receiver
}

func consumerOf(t *testing.T, r *record) consumer.Traces {
	c, err := consumer.NewTraces(func(_ context.Context, traces ptrace.Traces) error {
		r.add(traces)
		return nil
	})
	require.NoError(t, err)
	return c
}

func freeEndpoint(t *testing.T) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().String()
}
