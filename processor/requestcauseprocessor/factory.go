package requestcauseprocessor

import (
	"context"
	"fmt"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/processor"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/metadata"
)

// NewFactory creates the factory of the requestcause processor.
func NewFactory() processor.Factory { return newFactory(thisMachine) }

func newFactory(m func(*Config) machine) processor.Factory {
	f := factory{machine: m}
	return processor.NewFactory(
		metadata.Type,
		createDefaultConfig,
		processor.WithTraces(f.createTraces, metadata.TracesStability),
	)
}

type factory struct {
	machine func(*Config) machine
}

func (f factory) createTraces(
	_ context.Context, set processor.Settings, cfg component.Config, next consumer.Traces,
) (processor.Traces, error) {
	config, ok := cfg.(*Config)
	if !ok {
		return nil, fmt.Errorf("creating requestcause processor: configuration is a %T", cfg)
	}
	created, err := f.create(config, set, next)
	if err != nil {
		return nil, fmt.Errorf("creating requestcause processor: %w", err)
	}
	return created, nil
}

func (f factory) create(config *Config, set processor.Settings, next consumer.Traces) (processor.Traces, error) {
	if config.Mode == ModeResolve {
		return newResolver(config, set, f.machine(config), next)
	}
	return newJoiner(config, set, f.machine(config), next)
}
