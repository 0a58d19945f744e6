package gpucausereceiver

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receiverhelper"

	"github.com/gpucause/gpucause/receiver/gpucausereceiver/internal/metadata"
)

const (
	// consumeTimeout bounds one hand-over to the next consumer. Meanwhile
	// records wait in the ring buffer, and are dropped and counted when it is full.
	consumeTimeout = 5 * time.Second

	transport = "ebpf"
	format    = "gpucause"
)

// sink hands data to the next consumers. What they refuse is counted and
// dropped: a stall that was is of no use later, and metrics are cumulative.
type sink struct {
	traces    consumer.Traces
	metrics   consumer.Metrics
	obs       *receiverhelper.ObsReport
	telemetry *metadata.TelemetryBuilder
}

func newSink(r *gpuReceiver, telemetry *metadata.TelemetryBuilder) (*sink, error) {
	obs, err := newObsReport(r.settings)
	if err != nil {
		return nil, err
	}
	return &sink{traces: r.traces, metrics: r.metrics, obs: obs, telemetry: telemetry}, nil
}

func newObsReport(settings receiver.Settings) (*receiverhelper.ObsReport, error) {
	return receiverhelper.NewObsReport(receiverhelper.ObsReportSettings{
		ReceiverID:             settings.ID,
		Transport:              transport,
		LongLivedCtx:           true,
		ReceiverCreateSettings: settings,
	})
}

func (s *sink) consumeTraces(ctx context.Context, traces ptrace.Traces) {
	n := traces.SpanCount()
	if s.traces == nil || n == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, consumeTimeout)
	defer cancel()
	op := s.obs.StartTracesOp(ctx)
	err := s.traces.ConsumeTraces(op, traces)
	s.obs.EndTracesOp(op, format, n, err)
	if err != nil {
		s.telemetry.GpucauseSpansRefused.Add(ctx, int64(n))
		return
	}
	s.telemetry.GpucauseSpansEmitted.Add(ctx, int64(n))
}

func (s *sink) consumeMetrics(ctx context.Context, metrics pmetric.Metrics) {
	n := metrics.DataPointCount()
	if s.metrics == nil || n == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, consumeTimeout)
	defer cancel()
	op := s.obs.StartMetricsOp(ctx)
	err := s.metrics.ConsumeMetrics(op, metrics)
	s.obs.EndMetricsOp(op, format, n, err)
	if err != nil {
		s.telemetry.GpucauseMetricsRefused.Add(ctx, int64(n))
	}
}
