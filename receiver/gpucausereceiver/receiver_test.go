package gpucausereceiver

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/gpucause/gpucause/internal/capture"
	"github.com/gpucause/gpucause/receiver/gpucausereceiver/internal/metadata"
)

func testConfig() *Config {
	config, _ := createDefaultConfig().(*Config)
	return config
}

func TestBothSignalsShareOneSession(t *testing.T) {
	opened := 0
	m := brokenMachine(t, &opened)
	f := newFactory(m)
	config := testConfig()
	settings := receivertest.NewNopSettings(metadata.Type)
	traces, err := f.CreateTraces(t.Context(), settings, config, consumertest.NewNop())
	require.NoError(t, err)
	metrics, err := f.CreateMetrics(t.Context(), settings, config, consumertest.NewNop())
	require.NoError(t, err)

	require.ErrorIs(t, traces.Start(t.Context(), &statusHost{}), errBroken)
	require.ErrorIs(t, metrics.Start(t.Context(), &statusHost{}), errBroken, "the cached error")
	assert.Equal(t, 1, opened)

	require.NoError(t, traces.Shutdown(t.Context()))
	require.NoError(t, metrics.Shutdown(t.Context()))
	again, err := f.CreateTraces(t.Context(), settings, config, consumertest.NewNop())
	require.NoError(t, err)
	require.ErrorIs(t, again.Start(t.Context(), &statusHost{}), errBroken)
	assert.Equal(t, 2, opened, "a new receiver tries anew")
}

func TestDegradeReportsAndRuns(t *testing.T) {
	opened := 0
	config := testConfig()
	config.ErrorMode = ErrorModeDegrade
	f := newFactory(brokenMachine(t, &opened))
	settings := receivertest.NewNopSettings(metadata.Type)
	traces, err := f.CreateTraces(t.Context(), settings, config, consumertest.NewNop())
	require.NoError(t, err)
	metrics, err := f.CreateMetrics(t.Context(), settings, config, consumertest.NewNop())
	require.NoError(t, err)

	first, second := &statusHost{}, &statusHost{}
	require.NoError(t, traces.Start(t.Context(), first))
	require.NoError(t, metrics.Start(t.Context(), second))
	for _, host := range []*statusHost{first, second} {
		assert.Equal(t, []componentstatus.Status{componentstatus.StatusPermanentError}, host.statuses())
	}
	require.NoError(t, traces.Shutdown(t.Context()))
	require.NoError(t, metrics.Shutdown(t.Context()))
}

func TestPreflightErrorsAreToldAsTheyAre(t *testing.T) {
	for _, sentinel := range []error{
		capture.ErrNotLinux, capture.ErrKernelOld, capture.ErrNoBTF,
		capture.ErrCapability, capture.ErrTracefs, capture.ErrPIDNamespace,
	} {
		m := fakeMachine(t, nil)
		m.open = failingWith(sentinel)
		r := newReceiver(testConfig(), receivertest.NewNopSettings(metadata.Type), m)
		err := r.start(t.Context())
		require.ErrorIs(t, err, sentinel)
		assert.EqualError(t, err, "starting to trace: "+sentinel.Error())
	}
}

func TestShutdownWithoutStart(t *testing.T) {
	r := newReceiver(testConfig(), receivertest.NewNopSettings(metadata.Type), fakeMachine(t, &fakeSource{}))
	require.NoError(t, r.shutdown(t.Context()))
	require.NoError(t, r.shutdown(t.Context()))
	require.Error(t, r.start(t.Context()), "there is no way back")
}

func TestShutdownTwiceClosesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.start()
		require.NoError(t, b.receiver.start(t.Context()), "a second start is the first one")
		b.shutdown()
		b.shutdown()
		assert.Equal(t, 1, b.source.closings())
	})
}

func TestClocklessMachineFailsTheStart(t *testing.T) {
	s := &fakeSource{}
	m := fakeMachine(t, s)
	m.offset = noOffset
	r := newReceiver(testConfig(), receivertest.NewNopSettings(metadata.Type), m)
	require.ErrorIs(t, r.start(t.Context()), errBroken)
	assert.Equal(t, 1, s.closings(), "nothing stays attached")
}

// bench is a receiver on a fake source, with sinks.
type bench struct {
	t         *testing.T
	source    *fakeSource
	config    *Config
	receiver  *gpuReceiver
	host      *statusHost
	telemetry *componenttest.Telemetry
	traces    consumertest.TracesSink
	metrics   consumertest.MetricsSink
	cycles    uint64 // put in
	calls     uint64 // put in, of the helper
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, source: &fakeSource{}, config: testConfig(), host: &statusHost{}, telemetry: componenttest.NewTelemetry()}
	t.Cleanup(func() { _ = b.telemetry.Shutdown(context.Background()) })
	b.receiver = newReceiver(b.config, b.settings(), fakeMachine(t, b.source))
	b.receiver.traces, b.receiver.metrics = &b.traces, &b.metrics
	b.receiver.status.add(b.host)
	return b
}

func (b *bench) settings() receiver.Settings {
	settings := receivertest.NewNopSettings(metadata.Type)
	settings.TelemetrySettings = b.telemetry.NewTelemetrySettings()
	return settings
}

func (b *bench) start() { require.NoError(b.t, b.receiver.start(b.t.Context())) }

func (b *bench) shutdown() { require.NoError(b.t, b.receiver.shutdown(b.t.Context())) }

// pass lets the bubble's time pass.
func (*bench) pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// ignored leaves time out of comparisons of own metrics.
func ignored() []metricdatatest.Option {
	return []metricdatatest.Option{metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars()}
}

func attributes(pairs ...string) attribute.Set {
	var values []attribute.KeyValue
	for i := 0; i < len(pairs); i += 2 {
		values = append(values, attribute.String(pairs[i], pairs[i+1]))
	}
	return attribute.NewSet(values...)
}
