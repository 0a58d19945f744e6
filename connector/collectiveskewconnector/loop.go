package collectiveskewconnector

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// loop is the life of a connector's goroutine.
type loop struct {
	startOnce, stopOnce sync.Once
	urgent              chan struct{} // something is to be handed over
	stopping            chan struct{} // closed by stop
	done                chan struct{} // closed when the goroutine has ended
	cancel              context.CancelFunc
	stopErr             error
}

func newLoop() loop {
	return loop{urgent: make(chan struct{}, 1), stopping: make(chan struct{}), done: make(chan struct{}), cancel: func() {}}
}

// hurry makes the goroutine hand over. It does not block.
func (l *loop) hurry() {
	select {
	case l.urgent <- struct{}{}:
	default: // it is awake already
	}
}

func (l *loop) start(c *skewConnector) {
	l.startOnce.Do(func() {
		ctx, cancel := context.WithCancel(context.Background())
		l.cancel = cancel
		go l.live(ctx, c)
	})
}

// Bounds of the time between two looks for what has expired.
const (
	minLook = 10 * time.Millisecond
	maxLook = time.Second
)

// live ends what has expired and hands over, until stop.
func (l *loop) live(ctx context.Context, c *skewConnector) {
	defer close(l.done)
	look := time.NewTicker(min(max(c.config.TTL/20, minLook), maxLook))
	defer look.Stop()
	collect := time.NewTicker(c.output.interval())
	defer collect.Stop()
	for {
		select {
		case <-l.stopping:
			return
		case <-look.C:
			c.expire(ctx)
		case <-l.urgent:
			c.handOver(ctx)
		case <-collect.C:
			c.handOver(ctx)
		}
	}
}

// stop ends the goroutine, then judges and hands over what is left, once. A
// hand-over in progress has as long as ctx.
func (l *loop) stop(ctx context.Context, c *skewConnector) error {
	l.stopOnce.Do(func() {
		l.startOnce.Do(func() { close(l.done) })
		close(l.stopping)
		l.stopErr = l.wait(ctx)
		l.cancel()
		c.finish(ctx)
		c.handOver(ctx)
		c.telemetry.Shutdown()
	})
	return l.stopErr
}

func (l *loop) wait(ctx context.Context) error {
	select {
	case <-l.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("shutting down collectiveskew connector: %w", ctx.Err())
	}
}
