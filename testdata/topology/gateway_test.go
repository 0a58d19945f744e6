package topology

import (
	"context"
	"net"
	"sync"
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

	"github.com/gpucause/gpucause/connector/collectiveskewconnector"
)

// patience is the connector's ttl: longer than it takes to deliver everything.
const patience = 15 * time.Second

// judge is a connector with what it said.
type judge struct {
	connector.Traces
	telemetry *componenttest.Telemetry

	mu       sync.Mutex
	traces   map[pcommon.TraceID]bool
	spans    int
	verdicts []ptrace.Span
}

func newJudge(t *testing.T) *judge {
	j := &judge{telemetry: componenttest.NewTelemetry(), traces: make(map[pcommon.TraceID]bool)}
	t.Cleanup(func() { _ = j.telemetry.Shutdown(context.Background()) })
	factory := collectiveskewconnector.NewFactory()
	config := factory.CreateDefaultConfig()
	require.NoError(t, confmap.NewFromStringMap(map[string]any{"ttl": patience.String()}).Unmarshal(config))
	settings := connectortest.NewNopSettings(factory.Type())
	settings.TelemetrySettings = j.telemetry.NewTelemetrySettings()
	next, err := consumer.NewTraces(j.keep)
	require.NoError(t, err)
	j.Traces, err = factory.CreateTracesToTraces(t.Context(), settings, config, next)
	require.NoError(t, err)
	require.NoError(t, j.Start(t.Context(), componenttest.NewNopHost()))
	return j
}

// ConsumeTraces notes what arrives, and gives it to the connector.
func (j *judge) ConsumeTraces(ctx context.Context, traces ptrace.Traces) error {
	j.mu.Lock()
	for span := range each(traces) {
		j.traces[span.TraceID()] = true
		j.spans++
	}
	j.mu.Unlock()
	return j.Traces.ConsumeTraces(ctx, traces)
}

func (j *judge) keep(_ context.Context, traces ptrace.Traces) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for span := range each(traces) {
		j.verdicts = append(j.verdicts, span)
	}
	return nil
}

func (j *judge) arrived() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.spans
}

func (j *judge) said() []ptrace.Span {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]ptrace.Span(nil), j.verdicts...)
}

// each visits every span.
func each(traces ptrace.Traces) func(yield func(ptrace.Span) bool) {
	return func(yield func(ptrace.Span) bool) {
		for _, resource := range traces.ResourceSpans().All() {
			for _, scope := range resource.ScopeSpans().All() {
				for _, span := range scope.Spans().All() {
					if !yield(span) {
						return
					}
				}
			}
		}
	}
}

// gateway is a judge behind a real OTLP receiver.
type gateway struct {
	*judge
	endpoint string
	receiver component.Component
}

func newGateway(t *testing.T) *gateway {
	g := &gateway{judge: newJudge(t), endpoint: freeEndpoint(t)}
	factory := otlpreceiver.NewFactory()
	config := factory.CreateDefaultConfig()
	require.NoError(t, confmap.NewFromStringMap(map[string]any{
		"protocols": map[string]any{"grpc": map[string]any{"endpoint": g.endpoint}},
	}).Unmarshal(config))
	var err error
	g.receiver, err = factory.CreateTraces(t.Context(), receivertest.NewNopSettings(factory.Type()), config, g.judge)
	require.NoError(t, err)
	require.NoError(t, g.receiver.Start(t.Context(), componenttest.NewNopHost()))
	return g
}

func freeEndpoint(t *testing.T) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().String()
}

func (g *gateway) shutdown(t *testing.T) {
	require.NoError(t, g.receiver.Shutdown(t.Context()))
	require.NoError(t, g.Shutdown(t.Context()))
}

// counted returns the connector's own counter, by the value of its attribute.
func (j *judge) counted(t *testing.T, name string) map[string]int64 {
	return sums(t, j.telemetry, name)
}
