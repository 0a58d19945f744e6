package collectiveskewconnector

import (
	"context"
	"fmt"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/consumer"

	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/metadata"
)

// NewFactory creates the factory of the collectiveskew connector. Each connector
// that it creates pairs and judges for itself.
func NewFactory() connector.Factory {
	return connector.NewFactory(
		metadata.Type,
		createDefaultConfig,
		connector.WithTracesToTraces(createTracesToTraces, metadata.TracesToTracesStability),
		connector.WithTracesToMetrics(createTracesToMetrics, metadata.TracesToMetricsStability),
	)
}

func createTracesToTraces(_ context.Context, set connector.Settings, cfg component.Config, next consumer.Traces) (connector.Traces, error) {
	config, err := configOf(cfg)
	if err != nil {
		return nil, err
	}
	return newConnector(config, set, &verdictSpans{next: next, version: set.BuildInfo.Version})
}

func createTracesToMetrics(_ context.Context, set connector.Settings, cfg component.Config, next consumer.Metrics) (connector.Traces, error) {
	config, err := configOf(cfg)
	if err != nil {
		return nil, err
	}
	return newConnector(config, set, newVerdictMetrics(config, set, next))
}

func configOf(cfg component.Config) (*Config, error) {
	config, ok := cfg.(*Config)
	if !ok {
		return nil, fmt.Errorf("creating collectiveskew connector: configuration is a %T", cfg)
	}
	return config, nil
}
