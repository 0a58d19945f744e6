package requestcauseprocessor

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// joiner is an instance in mode join: it holds payloads with requests back for a
// moment and passes them on with what the requests met. All other payloads pass
// through at once.
type joiner struct {
	*knowledge
	next consumer.Traces
	wait time.Duration
	hold *hold
	size ptrace.ProtoMarshaler

	startOnce, stopOnce sync.Once
	abort               context.CancelFunc // nil unless started
	ended               chan struct{}      // closed when the worker has ended
}

func newJoiner(config *Config, k *knowledge, next consumer.Traces) *joiner {
	j := &joiner{
		knowledge: k, next: next, wait: config.Wait, hold: newHold(config.Hold.MaxBytes), ended: make(chan struct{}),
	}
	k.report.hold = j.hold
	return j
}

// Capabilities says that payloads get spans.
func (*joiner) Capabilities() consumer.Capabilities { return consumer.Capabilities{MutatesData: true} }

// Start starts the worker, which everything that is held leaves through.
func (j *joiner) Start(context.Context, component.Host) error {
	j.startOnce.Do(func() {
		ctx, cancel := context.WithCancel(context.Background())
		j.abort = cancel
		go func() {
			defer close(j.ended)
			j.run(ctx)
		}()
	})
	return nil
}

// Shutdown joins and passes on everything that is held. It returns when that is
// done or ctx ends, then with its error; what could not be passed on by then is
// dropped and counted, as soon as the next consumer lets go of what it has.
func (j *joiner) Shutdown(ctx context.Context) error {
	var err error
	j.stopOnce.Do(func() {
		j.startOnce.Do(func() {})
		j.hold.close()
		if j.abort != nil {
			err = j.await(ctx)
			j.abort()
		}
		j.report.stop()
	})
	return err
}

// await waits until the worker has ended or ctx ends.
func (j *joiner) await(ctx context.Context) error {
	select {
	case <-j.ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ConsumeTraces learns from a payload. One without requests passes through at
// once, in the caller's time; one with requests is held.
func (j *joiner) ConsumeTraces(ctx context.Context, traces ptrace.Traces) error {
	found := j.learn(ctx, traces)
	if len(found.Requests) == 0 {
		return j.next.ConsumeTraces(ctx, traces)
	}
	p := &held{
		traces: traces, found: found, client: client.FromContext(ctx),
		due: time.Now().Add(j.wait), bytes: int64(j.size.TracesSize(traces)),
	}
	if !j.hold.put(p) {
		j.report.unheld(ctx)
		return j.next.ConsumeTraces(ctx, traces)
	}
	j.report.held(ctx)
	return nil
}
