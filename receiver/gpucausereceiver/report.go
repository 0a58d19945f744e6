package gpucausereceiver

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/gpucause/gpucause/internal/capture"
	"github.com/gpucause/gpucause/internal/collective"
	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/timeline"
	"github.com/gpucause/gpucause/receiver/gpucausereceiver/internal/metadata"
)

// reportAge is how old a report may be when the Collector reads its own
// metrics: one reading of all instruments takes one report.
const reportAge = time.Second

// reporter observes what the source, the timeline and the tracker of collectives
// report for the component's own metrics. It is safe for concurrent use.
type reporter struct {
	source interface{ Report() capture.Report }

	mu       sync.Mutex
	taken    time.Time
	report   capture.Report
	timeline timeline.Stats
	tracker  collective.Stats
	contexts contextStats
	exceeded map[string]uint64
}

func (r *reporter) current() capture.Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.taken) > reportAge {
		r.report, r.taken = r.source.Report(), time.Now()
	}
	return r.report
}

// set publishes the figures that only the pipeline's goroutine may read.
func (r *reporter) set(tl timeline.Stats, tracker collective.Stats, contexts contextStats, exceeded map[string]uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.timeline, r.tracker, r.contexts, r.exceeded = tl, tracker, contexts, exceeded
}

// limits are how often each bound of the pipeline's memory kept something out.
func (r *reporter) limits(_ context.Context, observer metric.Int64Observer) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	observe(observer, "limit", r.exceeded)
	return nil
}

// contextLosses are by reason, those of the kernel side included.
func (r *reporter) contextLosses() map[string]uint64 {
	unreadable := r.current().ContextFaults
	r.mu.Lock()
	defer r.mu.Unlock()
	losses := map[string]uint64{"unreadable": unreadable}
	for _, reason := range []string{"process_context", "thread_context", "schema", "refused"} {
		losses[reason] = r.contexts.losses[reason]
	}
	return losses
}

func (r *reporter) publishers(_ context.Context, observer metric.Int64Observer) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	observe(observer, "context", map[string]uint64{"process": uint64(r.contexts.process), "thread": uint64(r.contexts.threads)})
	return nil
}

func (r *reporter) collectiveLosses() map[string]uint64 {
	lost := r.current().DependenciesLost
	r.mu.Lock()
	defer r.mu.Unlock()
	return map[string]uint64{
		"unknown_communicator": r.tracker.Unknown,
		"refused_communicator": r.tracker.Refused,
		"unidentified":         r.tracker.Unidentified,
		"captured":             r.tracker.Captured,
		"incomplete":           r.tracker.Incomplete,
		"late_completion":      r.tracker.Late,
		"evicted":              r.tracker.Evicted,
		"open":                 r.tracker.NoRoom.Open,
		"group":                r.tracker.NoRoom.Groups,
		"arrival":              r.tracker.NoRoom.Arrivals,
		"wait":                 r.tracker.NoRoom.Waits,
		"meeting":              r.tracker.NoRoom.Meetings,
		"growth":               r.tracker.NoRoom.Growths,
		"dependency":           lost,
	}
}

func (r *reporter) losses() map[string]uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return map[string]uint64{
		"orphan_tree":     r.timeline.OrphanTrees,
		"reattached":      r.timeline.Reattached,
		"orphan_off_cpu":  r.timeline.OrphanOffCPU,
		"part_dropped":    r.timeline.PartsDropped,
		"pending_dropped": r.timeline.PendingDropped,
		"tree_dropped":    r.timeline.TreesDropped,
		"off_cpu_dropped": r.timeline.OffCPUDropped,
		"refused":         r.timeline.Refused,
		"evicted":         r.timeline.Evicted,
		"malformed":       r.timeline.Malformed,
	}
}

// register makes the asynchronous instruments of b observe r.
func (r *reporter) register(b *metadata.TelemetryBuilder) error {
	return errors.Join(
		b.RegisterGpucauseRecordsReadCallback(r.count(func(r capture.Report) uint64 { return r.Read })),
		b.RegisterGpucauseRecordsMalformedCallback(r.count(func(r capture.Report) uint64 { return r.Malformed })),
		b.RegisterGpucauseRecordsDroppedCallback(r.counts("kind", dropped)),
		b.RegisterGpucauseCallsUnmatchedReturnsCallback(r.count(func(r capture.Report) uint64 { return r.UnmatchedReturns })),
		b.RegisterGpucauseCallsAbandonedCallback(r.count(func(r capture.Report) uint64 { return r.AbandonedCalls })),
		b.RegisterGpucauseCallsTooDeepCallback(r.count(func(r capture.Report) uint64 { return r.StackOverflows })),
		b.RegisterGpucauseMapFullCallback(r.counts("map", func(r capture.Report) map[string]uint64 { return r.MapFull })),
		b.RegisterGpucauseUserReadFaultsCallback(r.count(func(r capture.Report) uint64 { return r.UserReadFaults })),
		b.RegisterGpucauseProcessesCallback(r.counts("role", processRoles)),
		b.RegisterGpucauseLibrariesCallback(r.count(func(r capture.Report) uint64 { return uint64(len(r.Libraries)) })),
		b.RegisterGpucauseSymbolsMissingCallback(r.count(missing)),
		b.RegisterGpucauseProbesAttachedCallback(r.probes()),
		b.RegisterGpucauseEntryOnlyCallback(r.count(entryOnly)),
		b.RegisterGpucauseAttachFailuresCallback(r.counts("reason", func(r capture.Report) map[string]uint64 { return r.AttachFailures })),
		b.RegisterGpucauseBpfRunsCallback(r.counts("program", perProgram(func(c capture.ProgramCost) uint64 { return c.Runs }))),
		b.RegisterGpucauseBpfRunTimeCallback(r.counts("program", perProgram(func(c capture.ProgramCost) uint64 { return uint64(max(c.RunTime, 0)) }))),
		b.RegisterGpucauseBpfRecursionMissesCallback(r.counts("program", perProgram(func(c capture.ProgramCost) uint64 { return c.Recursion }))),
		b.RegisterGpucauseDiscoveryPassesCallback(r.count(func(r capture.Report) uint64 { return r.DiscoveryPasses })),
		b.RegisterGpucauseDiscoveryTimeCallback(r.count(func(r capture.Report) uint64 { return uint64(max(r.DiscoveryTime, 0)) })),
		b.RegisterGpucauseTimelineLossesCallback(observeLosses(r.losses)),
		b.RegisterGpucauseCollectiveLossesCallback(observeLosses(r.collectiveLosses)),
		b.RegisterGpucauseContextLossesCallback(observeLosses(r.contextLosses)),
		b.RegisterGpucauseContextPublishersCallback(r.publishers),
		b.RegisterGpucauseLimitsExceededCallback(r.limits),
	)
}

func (r *reporter) count(of func(capture.Report) uint64) metric.Int64Callback {
	return func(_ context.Context, observer metric.Int64Observer) error {
		observer.Observe(int64(of(r.current())))
		return nil
	}
}

func (r *reporter) counts(key string, of func(capture.Report) map[string]uint64) metric.Int64Callback {
	return func(_ context.Context, observer metric.Int64Observer) error {
		observe(observer, key, of(r.current()))
		return nil
	}
}

func observeLosses(of func() map[string]uint64) metric.Int64Callback {
	return func(_ context.Context, observer metric.Int64Observer) error {
		observe(observer, "reason", of())
		return nil
	}
}

func (r *reporter) probes() metric.Int64Callback {
	return func(_ context.Context, observer metric.Int64Observer) error {
		report := r.current()
		mechanism := attribute.String("mechanism", report.Attached.String())
		for site, n := range sites(report) {
			observer.Observe(int64(n), metric.WithAttributes(mechanism, attribute.String("site", site)))
		}
		return nil
	}
}

func observe(observer metric.Int64Observer, key string, values map[string]uint64) {
	for value, n := range values {
		observer.Observe(int64(n), metric.WithAttributes(attribute.String(key, value)))
	}
}

var recordKinds = [event.Kinds]string{
	event.KindUnspecified:  "unspecified",
	event.KindCall:         "call",
	event.KindOffCPU:       "off_cpu",
	event.KindProcess:      "process",
	event.KindFunctionName: "function_name",
	event.KindCycle:        "cycle",
	event.KindCommunicator: "communicator",
	event.KindCollective:   "collective",
	event.KindCompletion:   "completion",
}

func dropped(r capture.Report) map[string]uint64 {
	byName := make(map[string]uint64, len(r.Dropped))
	for kind, n := range r.Dropped {
		if kind >= event.Kinds {
			kind = event.KindUnspecified
		}
		byName[recordKinds[kind]] += n
	}
	return byName
}

func processRoles(r capture.Report) map[string]uint64 {
	return map[string]uint64{"traced": r.Processes, "followed": r.Followed}
}

func missing(r capture.Report) uint64 {
	n := 0
	for i := range r.Libraries {
		n += len(r.Libraries[i].Missing)
	}
	return uint64(n)
}

func sites(r capture.Report) map[string]int {
	bySite := make(map[string]int)
	for i := range r.Libraries {
		library := &r.Libraries[i]
		bySite["emulated"] += library.Emulated
		bySite["single_stepped"] += library.SingleStepped
		bySite["entry_only"] += library.EntryOnly
	}
	return bySite
}

func entryOnly(r capture.Report) uint64 {
	if r.EntryOnly {
		return 1
	}
	return 0
}

func perProgram(of func(capture.ProgramCost) uint64) func(capture.Report) map[string]uint64 {
	return func(r capture.Report) map[string]uint64 {
		byName := make(map[string]uint64, len(r.Programs))
		for _, program := range r.Programs {
			byName[program.Name] += of(program)
		}
		return byName
	}
}
