package gpucausereceiver

import (
	"context"
	"errors"
	"math"
	"time"

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

// lastTraces is how long after a process's end its last traces have been told.
const lastTraces = time.Second

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
	judge      *causality.Judge // nil where cycles are not judged
	calls      *causality.CallJudge
	spans      *spans.Builder
	aggregator *measurement.Aggregator

	budgets     *budgets
	wakers      *wakers
	functions   *functions
	collectives *collectives
	contexts    *contexts
	processes   *processes
	owners      map[event.PID]ktime.Time // when the latest process of a number began
	overflowed  uint64                   // of the aggregator, already counted
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
		functions: newFunctions(2*int(r.config.Limits.MaxFunctions), r.machine.stubName),
		owners:    make(map[event.PID]ktime.Time),
		processes: newProcesses(r.machine.procPath, thisHost(), r.config.Resource),
	}
	p.contexts = newContexts(r.config, opened, p.processes, r.machine.readContext)
	p.collectives = newCollectives(r.config.NCCL, p.processes.host.id, r.machine.readCommunicator)
	p.makeBuilders(r.settings.BuildInfo.Version)
	if p.offset, err = r.machine.offset(); err != nil {
		return nil, err
	}
	return p, p.reporter.register(telemetry)
}

func (p *pipeline) makeBuilders(version string) {
	names := &symbols{procPath: p.machine.procPath, logger: p.logger}
	names.load() // takes some CPU time: better now than in the middle of a stall
	p.explain = causality.Settings{
		MaxDepth:     int(p.config.Spans.MaxDepth),
		MaxIntervals: int(p.config.Spans.MaxIntervals),
		Symbol:       names.function,
		Waited:       p.collectives.tracker.LongestWait,
	}
	p.collectives.arrivals = causality.NewArrivals(p.config.NCCL.SlowThreshold, p.explain)
	p.judge = newJudge(p.config.Stalls, p.explain)
	p.calls = causality.NewCallJudge(p.config.Stalls.judgeSettings(p.explain))
	p.spans = spans.NewBuilder(spans.Settings{
		HostName:     p.processes.host.name,
		HostID:       p.processes.host.id,
		Version:      version,
		Resource:     p.processes.describe,
		Symbol:       names.location,
		FunctionName: p.functions.name,
		ActiveParent: p.config.TraceContext.Parent,
	})
	p.aggregator = measurement.NewAggregator(measurement.Settings{
		MaxSeriesPerProcess: int(p.config.Limits.MaxSeriesPerProcess),
		MaxSeries:           int(p.config.Limits.MaxSeries),
		ScopeName:           metadata.ScopeName,
		ScopeVersion:        version,
		FunctionName:        p.functions.name,
	})
}

// drain takes in every record there is, and emits the traces that have settled.
func (p *pipeline) drain(ctx context.Context) {
	p.report("reading records", p.source.Drain(p.add))
	p.functions.collect()
	now, err := p.machine.now()
	if err != nil {
		p.report("reading the clock", err)
		return
	}
	p.contexts.collect(now)
	p.emit(ctx, now, now)
	p.follow(ctx, now)
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
		p.collectives.add(record)
		p.timeline.Add(record)
	case event.KindCommunicator, event.KindCollective, event.KindCompletion:
		p.collectives.add(record)
	case event.KindOffCPU:
		p.noteWait(&record.OffCPU)
		p.timeline.Add(record)
	case event.KindCall:
		p.functions.look(&record.Call)
		p.timeline.Add(record)
	case event.KindCycle:
		p.wakers.addDispatcher(record.Cycle.Task.Thread)
		p.timeline.Add(record)
	default:
		p.timeline.Add(record)
	}
}

func (p *pipeline) change(change *event.ProcessChange) {
	id := event.ProcessID{PID: change.Task.Thread.PID, Start: change.Start}
	switch change.Kind {
	case event.ProcessAdopted:
		p.own(id)
		p.processes.renew(id)
		p.contexts.watch(id)
	case event.ProcessExecuted:
		p.processes.executed(id)
		p.contexts.forget(id.PID)
		p.functions.forget(id.PID)
		p.wakers.forget(id.PID)
	case event.ProcessExited:
		p.processes.exited(id, change.At)
	case event.ThreadExited:
		p.wakers.forgetThread(change.Task.Thread)
	}
}

// own notes whose number it is from now on. What is known of an earlier owner by
// the number alone is forgotten.
func (p *pipeline) own(id event.ProcessID) {
	if before, owned := p.owners[id.PID]; owned && before < id.Start {
		p.forgetNumber(id.PID)
	}
	p.owners[id.PID] = max(p.owners[id.PID], id.Start)
}

// noteWait counts a dispatcher's wait for a process that is not traced. Waits
// in unremarkable cycles count, so that the first stall can be told.
func (p *pipeline) noteWait(o *event.OffCPU) {
	waker := o.Waker.Thread
	if p.wakers.matters(o) && p.timeline.Coverage(waker, o.Start, o.Wake) == timeline.NotTraced {
		p.wakers.waitedFor(waker.PID, o.Wake.Sub(o.Start))
	}
}

// emit hands over the traces that have settled by the time settled, spending
// what the budgets allow at the time now.
func (p *pipeline) emit(ctx context.Context, now, settled ktime.Time) {
	batch := p.tellCollectives(ctx, p.spans.NewBatch(p.offset), now, settled)
	p.timeline.Advance(settled, timeline.Handler{
		Tree: func(tree *timeline.Tree) {
			p.tell(ctx, batch, tree, now)
			batch = p.handOverFull(ctx, batch)
		},
		Cycle: func(cycle *timeline.Cycle) {
			p.tellCycle(ctx, batch, cycle, now)
			batch = p.handOverFull(ctx, batch)
		},
	})
	p.sink.consumeTraces(ctx, batch.Traces())
}

// handOverFull hands a batch over if it is full, and returns the one to go on with.
func (p *pipeline) handOverFull(ctx context.Context, batch *spans.Batch) *spans.Batch {
	if batch.SpanCount() < maxBatchSpans {
		return batch
	}
	p.sink.consumeTraces(ctx, batch.Traces())
	return p.spans.NewBatch(p.offset)
}

// countTrace notes what a trace that was built is missing.
func (p *pipeline) countTrace(ctx context.Context, truncated int, untraced []causality.Untraced) {
	p.telemetry.GpucauseStallsEmitted.Add(ctx, 1)
	p.telemetry.GpucauseChainsTruncated.Add(ctx, int64(truncated))
	for _, u := range untraced {
		p.wakers.waitedFor(u.Task.Thread.PID, u.Blocked)
	}
}

func (p *pipeline) exemplify(calls []spans.Emitted) {
	for i := range calls {
		call := &calls[i]
		p.aggregator.AddExemplar(measurement.Exemplar{
			Process: call.Process, TID: call.Thread.TID, Probe: call.Probe,
			Duration: call.Duration(), At: pcommon.Timestamp(p.offset.UnixNano(call.End)),
			TraceID: call.TraceID, SpanID: call.SpanID, Function: call.Function,
		})
	}
}

// follow begins to follow wakers whose story is missing, for the next time.
func (p *pipeline) follow(ctx context.Context, now ktime.Time) {
	due, refused := p.wakers.take()
	for _, pid := range due {
		if isKernelThread(p.machine.procPath, pid) {
			p.wakers.reject(pid)
			continue
		}
		if err := p.source.Follow(pid); err != nil {
			p.wakers.reject(pid)
			refused++
			continue
		}
		p.processes.renew(event.ProcessID{PID: pid})
		p.contexts.watch(event.ProcessID{PID: pid})
		p.timeline.Follow(event.ProcessID{PID: pid}, now)
		p.telemetry.GpucauseWakersFollowed.Add(ctx, 1)
	}
	p.telemetry.GpucauseWakersUnfollowed.Add(ctx, int64(refused))
}

// collect emits the metrics, and forgets the processes that had ended this long
// before the snapshot: it was the last one with their increments.
func (p *pipeline) collect(ctx context.Context, ago time.Duration) {
	gone := p.gone(ago)
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

// gone returns the processes to forget.
func (p *pipeline) gone(ago time.Duration) []event.ProcessID {
	p.wakers.pids(p.processes.checkFollowed)
	p.aggregator.Processes(p.processes.check)
	now, err := p.machine.now()
	if err != nil {
		return nil
	}
	return p.processes.takeGone(now.Add(-ago))
}

func (p *pipeline) forget(id event.ProcessID) {
	p.processes.forget(id)
	p.contexts.end(id)
	if p.owners[id.PID] > id.Start && id.Start != 0 {
		return // the number has a new owner
	}
	p.forgetNumber(id.PID)
	delete(p.owners, id.PID)
}

// forgetNumber forgets what is known by a process's number alone.
func (p *pipeline) forgetNumber(pid event.PID) {
	p.functions.forget(pid)
	p.budgets.forget(pid)
	p.wakers.forget(pid)
	p.collectives.arrivals.Forget(pid)
	p.calls.Forget(pid)
	if p.judge != nil {
		p.judge.Forget(pid)
	}
}

// observe publishes figures of this goroutine's own for the component's metrics.
func (p *pipeline) observe(ctx context.Context) {
	p.reporter.set(p.timeline.Stats(), p.collectives.tracker.Stats(), p.contexts.stats(), p.exceeded())
	overflowed := p.aggregator.Overflowed()
	p.telemetry.GpucauseSeriesOverflow.Add(ctx, int64(overflowed-p.overflowed))
	p.overflowed = overflowed
}

// exceeded is how often each bound of this goroutine's memory kept something out.
func (p *pipeline) exceeded() map[string]uint64 {
	counts := map[string]uint64{
		"function_names":        p.functions.refused,
		"judged_calls":          p.calls.Evicted(),
		"judged_arrivals":       p.collectives.arrivals.Evicted(),
		"communicators_to_read": p.collectives.reading.refused,
		"dispatchers":           p.wakers.unwatched,
		"waker_candidates":      p.wakers.forgotten,
		"descriptions":          p.processes.refused,
	}
	if p.judge != nil {
		counts["judged_threads"] = p.judge.Evicted()
	}
	return counts
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
