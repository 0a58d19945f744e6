package requestcauseprocessor

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/group"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/locate"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/scan"
)

// lookPause is how often an instance in mode resolve asks whether it is time to
// look at the machine's processes.
const lookPause = time.Second

// resolver is an instance in mode resolve: it writes on resources with requests
// which processes serve them, and passes everything on at once.
type resolver struct {
	*knowledge
	next consumer.Traces

	startOnce, stopOnce sync.Once
	worker              sync.WaitGroup
	end                 context.CancelFunc // nil unless started
}

// Capabilities says that resources get an attribute.
func (*resolver) Capabilities() consumer.Capabilities {
	return consumer.Capabilities{MutatesData: true}
}

// Start starts to look at the machine's processes, beside what passes.
func (r *resolver) Start(context.Context, component.Host) error {
	r.startOnce.Do(func() {
		ctx, cancel := context.WithCancel(context.Background())
		r.end = cancel
		r.worker.Go(func() { r.look(ctx) })
	})
	return nil
}

// look looks at the processes when one was learnt of, and from time to time.
func (r *resolver) look(ctx context.Context) {
	ticker := time.NewTicker(lookPause)
	defer ticker.Stop()
	for ctx.Err() == nil {
		r.guard(func() { r.locator.Look(now()) })
		select {
		case <-ctx.Done():
		case <-r.news:
		case <-ticker.C:
		}
	}
}

// Shutdown ends what Start has started.
func (r *resolver) Shutdown(context.Context) error {
	r.stopOnce.Do(func() {
		r.startOnce.Do(func() {})
		if r.end != nil {
			r.end()
			r.worker.Wait()
		}
		r.report.stop()
	})
	return nil
}

// ConsumeTraces stamps what can be told and passes the payload on.
func (r *resolver) ConsumeTraces(ctx context.Context, traces ptrace.Traces) error {
	found := r.learn(ctx, traces)
	requests := make([]int64, len(found.Senders))
	for i := range found.Requests {
		requests[found.Requests[i].Sender]++
	}
	for i := range found.Senders {
		d := r.stamp(ctx, traces, &found.Senders[i])
		r.report.unresolved(ctx, &d, requests[i])
	}
	return r.next.ConsumeTraces(ctx, traces)
}

// stamp writes the sender's group on its resource, or that it has none. A stamp that came with the
// payload is the sender's own claim, and is replaced or removed.
func (r *resolver) stamp(ctx context.Context, traces ptrace.Traces, sender *scan.Sender) group.Decision {
	attributes := traces.ResourceSpans().At(sender.Resource).Resource().Attributes()
	asked := sender.Sender
	asked.Stamp = ""
	d := r.locator.Locate(&asked, locate.Met{})
	if stamp := r.locator.Stamp(&d); stamp != "" {
		attributes.PutStr(group.StampAttribute, stamp)
		if d.Outcome == group.Resolved {
			r.report.stamped(ctx)
		}
	} else {
		attributes.Remove(group.StampAttribute)
	}
	return d
}
