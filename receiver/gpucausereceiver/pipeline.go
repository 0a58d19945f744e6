package gpucausereceiver

import (
	"context"
	"errors"
	"math"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/gpucause/gpucause/internal/causality"
	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
	"github.com/gpucause/gpucause/internal/timeline"
	"github.com/gpucause/gpucause/receiver/gpucausereceiver/internal/measurement"
	"github.com/gpucause/gpucause/receiver/gpucausereceiver/internal/metadata"
	"github.com/gpucause/gpucause/receiver/gpucausereceiver/internal/spans"
)

// endOfTime is after every record: advancing to it settles everything.
const endOfTime = ktime.Time(math.MaxInt64)

// maxBatchSpans bounds what is handed over to the next consumer at once.
const maxBatchSpans = 8192

// pipeline is everything from ring buffer to consumer. But for its loop's
// channels it belongs to one goroutine.
type pipeline struct {
	config    *Config
	machine   machine
	logger    *zap.Logger
	status    *status
	telemetry *metadata.TelemetryBuilder
	source    source
	sink      *sink
	loop      loop
	health    health
	reporter  *reporter

	offset     ktime.Offset
	timeline   *timeline.Timeline
	explain    causality.Settings
	spans      *spans.Builder
	aggregator *measurement.Aggregator

	budgets    *budgets
	wakers     *wakers
	functions  *functions
	processes  *processes
	overflowed uint64 // of the aggregator, already counted
}

func newPipeline(r *gpuReceiver, opened source) (*pipeline, error) {
	telemetry, err := metadata.NewTelemetryBuilder(r.settings.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	out, err := newSink(r, telemetry)
	if err != nil {
		return nil, err
	}
	p := &pipeline{
		config: r.config, machine: r.machine, logger: r.settings.Logger, status: &r.status,
		telemetry: telemetry, source: opened, sink: out,
		health:    health{failing: make(map[string]bool)},
		reporter:  &reporter{source: opened},
		timeline:  timeline.New(timeline.Settings{}),
		budgets:   newBudgets(r.config.Spans.MaxPerSecond),
		wakers:    newWakers(r.config.FollowWakers),
		functions: newFunctions(),
		processes: newProcesses(r.machine.procPath, thisHost(), r.config.Resource),
	}
	p.makeBuilders(r.settings.BuildInfo.Version)
	if p.offset, err = r.machine.offset(); err != nil {
		return nil, err
	}
	return p, p.reporter.register(telemetry)
}

func (p *pipeline) makeBuilders(version string) {
	names := &symbols{procPath: p.machine.procPath, logger: p.logger}
	p.explain = causality.Settings{
		MaxDepth:     int(p.config.Spans.MaxDepth),
		MaxIntervals: int(p.config.Spans.MaxIntervals),
		Symbol:       names.function,
	}
	p.spans = spans.NewBuilder(spans.Settings{
		HostName:     p.processes.host.name,
		HostID:       p.processes.host.id,
		Version:      version,
		Resource:     p.processes.describe,
		Symbol:       names.location,
		FunctionName: p.functions.name,
	})
	p.aggregator = measurement.NewAggregator(measurement.Settings{
		MaxSeriesPerProcess: int(p.config.Limits.MaxSeriesPerProcess),
		MaxSeries:           int(p.config.Limits.MaxSeries),
		ScopeName:           metadata.ScopeName,
		ScopeVersion:        version,
	})
}

// drain takes in every record there is, and emits the traces that have settled.
func (p *pipeline) drain(ctx context.Context) {
	p.report("reading records", p.source.Drain(p.add))
	now, err := p.machine.now()
	if err != nil {
		p.report("reading the clock", err)
		return
	}
	p.emit(ctx, now, now)
}

// flush emits the traces that have not settled yet.
func (p *pipeline) flush(ctx context.Context) {
	if now, err := p.machine.now(); err == nil {
		p.emit(ctx, now, endOfTime)
	}
}

func (p *pipeline) add(record *event.Record) {
	switch record.Kind {
	case event.KindFunctionName:
		p.functions.add(&record.FunctionName)
	case event.KindProcess:
		p.change(&record.Process)
		p.timeline.Add(record)
	default:
		p.timeline.Add(record)
	}
}

func (p *pipeline) change(change *event.ProcessChange) {
	id := event.ProcessID{PID: change.Task.Thread.PID, Start: change.Start}
	switch change.Kind {
	case event.ProcessAdopted:
		p.processes.renew(id)
	case event.ProcessExecuted:
		p.processes.executed(id)
		p.functions.forget(id.PID)
		p.wakers.forget(id.PID)
	case event.ProcessExited:
		p.processes.exited(id)
	}
}

// emit hands over the traces that have settled by the time settled, spending
// what the budgets allow at the time now.
func (p *pipeline) emit(ctx context.Context, now, settled ktime.Time) {
	batch := p.spans.NewBatch(p.offset)
	p.timeline.Advance(settled, func(tree *timeline.Tree) {
		p.tell(ctx, batch, tree, now)
		if batch.SpanCount() >= maxBatchSpans {
			p.sink.consumeTraces(ctx, batch.Traces())
			batch = p.spans.NewBatch(p.offset)
		}
	})
	p.sink.consumeTraces(ctx, batch.Traces())
}

// tell adds the chain of a tree to the batch, unless its process is over budget.
func (p *pipeline) tell(ctx context.Context, batch *spans.Batch, tree *timeline.Tree, now ktime.Time) {
	if !p.budgets.allows(tree.Process.PID, now) {
		p.telemetry.GpucauseStallsSuppressed.Add(ctx, 1)
		return
	}
	chain := causality.Explain(p.timeline, tree, p.explain)
	before := batch.SpanCount()
	calls := batch.Append(chain)
	p.budgets.spend(tree.Process.PID, batch.SpanCount()-before)
	p.telemetry.GpucauseStallsEmitted.Add(ctx, 1)
	p.telemetry.GpucauseChainsTruncated.Add(ctx, int64(chain.Truncated))
	p.exemplify(calls)
	p.follow(ctx, chain.Untraced, now)
}

func (p *pipeline) exemplify(calls []spans.Emitted) {
	for i := range calls {
		call := &calls[i]
		p.aggregator.AddExemplar(measurement.Exemplar{
			Process: call.Process, TID: call.Thread.TID, Probe: call.Probe,
			Duration: call.Duration(), At: pcommon.Timestamp(p.offset.UnixNano(call.End)),
			TraceID: call.TraceID, SpanID: call.SpanID,
		})
	}
}

// follow begins to follow wakers whose story is missing, for the next time.
func (p *pipeline) follow(ctx context.Context, untraced []causality.Untraced, now ktime.Time) {
	chosen, refused := p.wakers.choose(untraced, now)
	for _, pid := range chosen {
		if err := p.source.Follow(pid); err != nil {
			refused += p.wakers.unfollow(pid, now)
			continue
		}
		p.processes.renew(event.ProcessID{PID: pid})
		p.timeline.Follow(event.ProcessID{PID: pid}, now)
		p.telemetry.GpucauseWakersFollowed.Add(ctx, 1)
	}
	p.telemetry.GpucauseWakersUnfollowed.Add(ctx, refused)
}

// collect emits the metrics, and forgets the processes that had ended before
// the snapshot: it was the last one with their increments.
func (p *pipeline) collect(ctx context.Context) {
	gone := p.processes.takeGone(p.wakers.pids, p.aggregator.Processes)
	snapshot, err := p.source.Snapshot()
	if err == nil && snapshot == nil {
		err = errors.New("no counters")
	}
	p.report("reading counters", err)
	if err == nil {
		p.aggregator.Add(snapshot, p.offset)
	}
	for _, id := range gone {
		p.aggregator.End(id)
	}
	p.sink.consumeMetrics(ctx, p.aggregator.Metrics(p.offset, p.processes.resource))
	for _, id := range gone {
		p.forget(id)
	}
	p.observe(ctx)
}

func (p *pipeline) forget(id event.ProcessID) {
	p.processes.forget(id)
	p.functions.forget(id.PID)
	p.budgets.forget(id.PID)
	p.wakers.forget(id.PID)
}

// observe publishes figures of this goroutine's own for the component's metrics.
func (p *pipeline) observe(ctx context.Context) {
	p.reporter.setTimeline(p.timeline.Stats())
	overflowed := p.aggregator.Overflowed()
	p.telemetry.GpucauseSeriesOverflow.Add(ctx, int64(overflowed-p.overflowed))
	p.overflowed = overflowed
}

func (p *pipeline) measureOffset() {
	offset, err := p.machine.offset()
	p.report("reading the clock", err)
	if err == nil {
		p.offset = offset
	}
}

func (p *pipeline) countReadError(operation string) {
	p.telemetry.GpucauseReadErrors.Add(context.Background(), 1,
		metric.WithAttributes(attribute.String("operation", operation)))
}
