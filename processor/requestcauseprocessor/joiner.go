package requestcauseprocessor

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/locate"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/scan"
)

// joiner is an instance in mode join: it holds payloads with requests back for a
// moment and passes them on with what the requests met. All other payloads pass
// through at once.
type joiner struct {
	*knowledge
	scout scout
	next  consumer.Traces
	wait  time.Duration
	hold  *hold
	size  ptrace.ProtoMarshaler

	startOnce, stopOnce sync.Once
	abort               context.CancelFunc // nil unless started
	ended               chan struct{}      // closed when the worker has ended
}

func newJoiner(config *Config, set processor.Settings, m machine, next consumer.Traces) (*joiner, error) {
	h := newHold(config.Hold.MaxBytes)
	k, err := newKnowledge(config, set, m, h)
	if err != nil {
		return nil, err
	}
	return &joiner{
		knowledge: k, scout: scout{knowledge: k}, next: next, wait: config.Wait, hold: h, ended: make(chan struct{}),
	}, nil
}

// Capabilities says that payloads get spans.
func (*joiner) Capabilities() consumer.Capabilities { return consumer.Capabilities{MutatesData: true} }

// Start starts the worker, which everything that is held leaves through, and what
// asks the machine beside it.
func (j *joiner) Start(context.Context, component.Host) error {
	j.startOnce.Do(func() {
		ctx, cancel := context.WithCancel(context.Background())
		j.abort = cancel
		j.scout.start()
		go func() {
			defer close(j.ended)
			j.run(ctx)
		}()
	})
	return nil
}

// Shutdown joins and passes on everything that is held. It returns when that is
// done or ctx ends, then with its error; what could not be passed on by then is
// dropped and counted, as soon as the next consumer lets go of what it has. Who
// has sent it is found out as long as that is worthwhile, for half of the time that
// ctx leaves at most.
func (j *joiner) Shutdown(ctx context.Context) error {
	var err error
	j.stopOnce.Do(func() {
		j.startOnce.Do(func() {})
		j.hold.close()
		if j.abort != nil {
			err = j.await(ctx)
			j.abort()
			j.hold.abandon()
			j.scout.stop(ctx)
		}
		j.report.stop()
	})
	return err
}

// await waits until the worker has ended or ctx ends.
func (j *joiner) await(ctx context.Context) error {
	if end, ok := ctx.Deadline(); ok {
		half := time.AfterFunc(time.Until(end)/2, j.hold.abandon)
		defer half.Stop()
	}
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
	p := j.held(ctx, traces, found)
	if !j.hold.put(p) {
		p.meeting.End()
		j.report.unheld(ctx)
		return j.next.ConsumeTraces(ctx, traces)
	}
	j.report.held(ctx)
	return nil
}

// held returns a payload that came now, and begins to find out who has sent it.
func (j *joiner) held(ctx context.Context, traces ptrace.Traces, found scan.Found) *held {
	from, came := client.FromContext(ctx), time.Now()
	return &held{
		traces: traces, found: found, client: from, bytes: int64(j.size.TracesSize(traces)),
		meeting: j.locator.Meet(peerOf(from.Addr)), by: came.Add(locate.Patience), due: came.Add(j.wait),
	}
}
