package requestcauseprocessor

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/group"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/scan"
)

// resolver is an instance in mode resolve: it writes on resources with requests
// which processes serve them, and passes everything on at once.
type resolver struct {
	knowledge *knowledge
	next      consumer.Traces
}

// Capabilities says that resources get an attribute.
func (*resolver) Capabilities() consumer.Capabilities {
	return consumer.Capabilities{MutatesData: true}
}

// Start does nothing: there is nothing in the background.
func (*resolver) Start(context.Context, component.Host) error { return nil }

// Shutdown ends the observation of the component's own metrics.
func (r *resolver) Shutdown(context.Context) error {
	r.knowledge.report.stop()
	return nil
}

// ConsumeTraces stamps what can be told and passes the payload on.
func (r *resolver) ConsumeTraces(ctx context.Context, traces ptrace.Traces) error {
	found := r.knowledge.learn(ctx, traces)
	requests := make([]int64, len(found.Senders))
	for i := range found.Requests {
		requests[found.Requests[i].Sender]++
	}
	for i := range found.Senders {
		d := r.stamp(ctx, traces, &found.Senders[i])
		r.knowledge.report.unresolved(ctx, &d, requests[i])
	}
	return r.next.ConsumeTraces(ctx, traces)
}

// stamp writes the sender's group on its resource. A stamp that came with the
// payload is the sender's own claim, and is replaced or removed.
func (r *resolver) stamp(ctx context.Context, traces ptrace.Traces, sender *scan.Sender) group.Decision {
	attributes := traces.ResourceSpans().At(sender.Resource).Resource().Attributes()
	asked := sender.Sender
	asked.Stamp = ""
	d := r.knowledge.locator.Locate(&asked, now())
	if stamp := r.knowledge.locator.Stamp(&d); stamp != "" {
		attributes.PutStr(group.StampAttribute, stamp)
		r.knowledge.report.stamped(ctx)
	} else {
		attributes.Remove(group.StampAttribute)
	}
	return d
}
