package gpucausereceiver

import (
	"context"
	"fmt"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"

	"github.com/gpucause/gpucause/receiver/gpucausereceiver/internal/metadata"
)

// NewFactory creates the factory of the gpucause receiver. Receivers that it
// creates from one configuration, one per signal, share one capture session.
func NewFactory() receiver.Factory { return newFactory(thisMachine()) }

func newFactory(m machine) receiver.Factory {
	shared := newRegistry()
	f := factory{shared: shared, machine: m}
	return receiver.NewFactory(
		metadata.Type,
		createDefaultConfig,
		receiver.WithTraces(f.createTraces, metadata.TracesStability),
		receiver.WithMetrics(f.createMetrics, metadata.MetricsStability),
	)
}

type factory struct {
	shared  *registry
	machine machine
}

func (f factory) createTraces(_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Traces) (receiver.Traces, error) {
	r, err := f.receiverFor(set, cfg)
	if err != nil {
		return nil, err
	}
	r.traces = next
	return &instance{receiver: r, shared: f.shared}, nil
}

func (f factory) createMetrics(_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Metrics) (receiver.Metrics, error) {
	r, err := f.receiverFor(set, cfg)
	if err != nil {
		return nil, err
	}
	r.metrics = next
	return &instance{receiver: r, shared: f.shared}, nil
}

func (f factory) receiverFor(set receiver.Settings, cfg component.Config) (*gpuReceiver, error) {
	config, ok := cfg.(*Config)
	if !ok {
		return nil, fmt.Errorf("creating gpucause receiver: configuration is a %T", cfg)
	}
	return f.shared.loadOrCreate(config, func() *gpuReceiver { return newReceiver(config, set, f.machine) }), nil
}
