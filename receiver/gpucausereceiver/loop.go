package gpucausereceiver

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component/componentstatus"
	"go.uber.org/zap"
)

const (
	drainInterval  = 10 * time.Millisecond
	offsetInterval = 30 * time.Second
)

// loop is the life of the pipeline's goroutine.
type loop struct {
	stopping chan context.Context // the shutdown's context, sent once
	done     chan struct{}
	cancel   context.CancelFunc // ends hand-overs in progress
	beside   sync.WaitGroup     // what runs beside the goroutine
	closeErr error              // of the source; read after done
}

// start starts the goroutine.
func (p *pipeline) start() {
	ctx, cancel := context.WithCancel(context.Background())
	p.loop.stopping, p.loop.done, p.loop.cancel = make(chan context.Context, 1), make(chan struct{}), cancel
	beside, stopBeside := context.WithCancel(ctx)
	p.functions.stubs.panicked = p.unanswered
	p.collectives.reading.asker.panicked = p.unanswered
	p.contexts.asker.panicked = p.unanswered
	p.loop.beside.Go(func() { p.functions.stubs.run(beside) })
	p.loop.beside.Go(func() { p.collectives.reading.asker.run(beside) })
	p.loop.beside.Go(func() { p.contexts.asker.run(beside) })
	go func() {
		defer close(p.loop.done)
		defer p.loop.beside.Wait()
		defer stopBeside()
		p.live(ctx)
	}()
}

// stop makes the goroutine emit what is left and close the source, and waits
// for it until ctx ends. It is called once.
func (p *pipeline) stop(ctx context.Context) error {
	defer p.loop.cancel()
	p.loop.stopping <- ctx
	select {
	case <-p.loop.done:
		return p.loop.closeErr
	case <-ctx.Done():
		return fmt.Errorf("shutting down: %w", ctx.Err())
	}
}

func (p *pipeline) live(ctx context.Context) {
	p.guard(ctx, p.run)
	p.telemetry.Shutdown()
	if err := p.source.Close(); err != nil {
		p.loop.closeErr = fmt.Errorf("detaching probes: %w", err)
	}
}

// guard calls run and turns a panic into a permanent error of this component.
func (p *pipeline) guard(ctx context.Context, run func(context.Context)) {
	defer func() {
		cause := recover()
		if cause == nil {
			return
		}
		err := fmt.Errorf("tracing ended by a defect, please report it: %v", cause)
		p.telemetry.GpucausePanics.Add(ctx, 1)
		p.logger.Error("GPU workloads are no longer traced", zap.Error(err), zap.Stack("stack"))
		p.status.report(componentstatus.NewPermanentErrorEvent(err))
	}()
	run(ctx)
}

// unanswered tells of a panic beside the pipeline, which goes on.
func (p *pipeline) unanswered(cause any) {
	p.telemetry.GpucausePanics.Add(context.Background(), 1)
	p.logger.Error("Something of a process could not be read because of a defect, please report it", zap.Any("panic", cause), zap.Stack("stack"))
}

func (p *pipeline) run(ctx context.Context) {
	drain := time.NewTicker(drainInterval)
	defer drain.Stop()
	collect := time.NewTicker(p.config.CollectionInterval)
	defer collect.Stop()
	offset := time.NewTicker(offsetInterval)
	defer offset.Stop()
	for {
		select {
		case stopping := <-p.loop.stopping:
			p.finish(stopping)
			return
		case <-drain.C:
			p.drain(ctx)
		case <-collect.C:
			p.collect(ctx, lastTraces)
		case <-offset.C:
			p.measureOffset()
		}
	}
}

// finish emits what is left: the records, the trees that have not settled, and
// the metrics.
func (p *pipeline) finish(ctx context.Context) {
	p.drain(ctx)
	p.flush(ctx)
	p.collect(ctx, 0)
}

// health reports whether an operation on the source works, on every change only.
type health struct {
	failing map[string]bool
}

func (p *pipeline) report(operation string, err error) {
	if err != nil {
		p.countReadError(operation)
	}
	if (err != nil) == p.health.failing[operation] {
		return
	}
	p.health.failing[operation] = err != nil
	if err != nil {
		err = fmt.Errorf("%s: %w", operation, err)
		p.logger.Error("tracing is impaired", zap.Error(err))
		p.status.report(componentstatus.NewRecoverableErrorEvent(err))
		return
	}
	if !p.health.any() {
		p.status.report(componentstatus.NewEvent(componentstatus.StatusOK))
	}
}

func (h *health) any() bool {
	for _, failing := range h.failing {
		if failing {
			return true
		}
	}
	return false
}
