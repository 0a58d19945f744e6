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

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/group"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/locate"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/scan"
)

// answerWithin is how long a payload with requests is kept at most until it is
// known who has sent it: its stamp has to be on it before it goes on.
const answerWithin = 100 * time.Millisecond

// resolver is an instance in mode resolve: it writes on resources with requests
// which processes serve them, and passes everything on, what has no requests at
// once.
type resolver struct {
	*knowledge
	scout scout
	next  consumer.Traces

	startOnce, stopOnce sync.Once
}

func newResolver(config *Config, set processor.Settings, m machine, next consumer.Traces) (*resolver, error) {
	k, err := newKnowledge(config, set, m, nil)
	if err != nil {
		return nil, err
	}
	return &resolver{knowledge: k, scout: scout{knowledge: k}, next: next}, nil
}

// Capabilities says that resources get an attribute.
func (*resolver) Capabilities() consumer.Capabilities {
	return consumer.Capabilities{MutatesData: true}
}

// Start starts to look at the machine's processes, beside what passes.
func (r *resolver) Start(context.Context, component.Host) error {
	r.startOnce.Do(r.scout.start)
	return nil
}

// Shutdown ends what Start has started. It does not wait for what the machine does
// not let go of.
func (r *resolver) Shutdown(ctx context.Context) error {
	r.stopOnce.Do(func() {
		r.startOnce.Do(func() {})
		r.scout.stop(ctx)
		r.report.stop()
	})
	return nil
}

// ConsumeTraces stamps what can be told and passes the payload on.
func (r *resolver) ConsumeTraces(ctx context.Context, traces ptrace.Traces) error {
	found := r.learn(ctx, traces)
	if len(found.Requests) > 0 {
		r.stampAll(ctx, traces, &found)
	}
	return r.next.ConsumeTraces(ctx, traces)
}

// stampAll stamps the resources that have requests.
func (r *resolver) stampAll(ctx context.Context, traces ptrace.Traces, found *scan.Found) {
	m := r.meet(ctx)
	defer m.End()
	requests := make([]int64, len(found.Senders))
	for i := range found.Requests {
		requests[found.Requests[i].Sender]++
	}
	for i := range found.Senders {
		if requests[i] > 0 {
			d := r.stamp(ctx, traces, &found.Senders[i], m)
			r.report.unresolved(ctx, &d, requests[i])
		}
	}
}

// meet returns the meeting with the sender of what came with ctx, when it has told
// who that is, or takes too long for that.
func (r *resolver) meet(ctx context.Context) *locate.Meeting {
	m := r.locator.Meet(peerOf(client.FromContext(ctx).Addr))
	timer := time.NewTimer(answerWithin)
	defer timer.Stop()
	select {
	case <-m.Done():
	case <-timer.C:
	case <-ctx.Done():
	}
	if !m.Answered() {
		r.report.unanswered(ctx)
	}
	return m
}

// stamp writes the sender's group on its resource, or that it has none. A stamp that came with the
// payload is the sender's own claim, and is replaced or removed.
func (r *resolver) stamp(ctx context.Context, traces ptrace.Traces, sender *scan.Sender, m *locate.Meeting) group.Decision {
	attributes := traces.ResourceSpans().At(sender.Resource).Resource().Attributes()
	asked := sender.Sender
	asked.Stamp = ""
	d := r.locator.Locate(&asked, m)
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
