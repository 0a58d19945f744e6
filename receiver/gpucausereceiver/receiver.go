package gpucausereceiver

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"
	"go.uber.org/zap"
)

// gpuReceiver owns one capture session and the goroutine that reads it.
type gpuReceiver struct {
	config   *Config
	settings receiver.Settings
	machine  machine
	status   status

	// Set by the factory before start; nil where the signal is not in a pipeline.
	traces  consumer.Traces
	metrics consumer.Metrics

	startOnce, stopOnce sync.Once
	startErr, stopErr   error
	pipeline            *pipeline // nil unless started
}

func newReceiver(config *Config, settings receiver.Settings, m machine) *gpuReceiver {
	return &gpuReceiver{config: config, settings: settings, machine: m}
}

// start opens the source and begins to read it, once; later calls return the
// first one's result.
func (r *gpuReceiver) start(ctx context.Context) error {
	r.startOnce.Do(func() { r.startErr = r.tolerate(r.open(ctx)) })
	return r.startErr
}

// tolerate turns an error into component status where the user prefers a
// Collector without this data to none.
func (r *gpuReceiver) tolerate(err error) error {
	if err == nil || r.config.ErrorMode == ErrorModePropagate {
		return err
	}
	r.settings.Logger.Error("GPU workloads are not traced", zap.Error(err))
	r.status.report(componentstatus.NewPermanentErrorEvent(err))
	return nil
}

func (r *gpuReceiver) open(ctx context.Context) error {
	opened, err := r.machine.open(ctx, r.config.captureSettings(), r.settings.Logger)
	if err != nil {
		return fmt.Errorf("starting to trace: %w", err)
	}
	p, err := newPipeline(r, opened)
	if err != nil {
		return errors.Join(fmt.Errorf("starting to trace: %w", err), opened.Close())
	}
	r.pipeline = p
	p.start()
	return nil
}

// shutdown emits what is left and detaches everything, once. It returns when
// that is done or ctx ends; what could not be emitted by then is dropped.
func (r *gpuReceiver) shutdown(ctx context.Context) error {
	r.stopOnce.Do(func() {
		r.startOnce.Do(func() { r.startErr = errors.New("starting to trace: already shut down") })
		if r.pipeline != nil {
			r.stopErr = r.pipeline.stop(ctx)
		}
	})
	return r.stopErr
}
