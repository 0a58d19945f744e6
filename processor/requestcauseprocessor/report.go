package requestcauseprocessor

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/core"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/locate"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/metadata"
)

// report is the component's own metrics. It may be used from several goroutines.
type report struct {
	*metadata.TelemetryBuilder
	hold *hold // nil in mode resolve
}

// newReport returns a report on what h holds, which is nil where nothing is held.
func newReport(telemetry *metadata.TelemetryBuilder, h *hold) *report {
	return &report{TelemetryBuilder: telemetry, hold: h}
}

// stop ends the observation of what is known.
func (r *report) stop() { r.Shutdown() }

// source is what the asynchronous instruments read.
type source interface {
	stats() core.Stats
	located() locate.Stats
}

// register makes the asynchronous instruments observe what is known.
func (r *report) register(from source) error {
	return errors.Join(
		r.RegisterRequestcauseStoreStallsCallback(gauge(from, func(s core.Stats) int64 { return int64(s.StallsKept) })),
		r.RegisterRequestcauseStoreBytesCallback(gauge(from, func(s core.Stats) int64 { return s.BytesKept })),
		r.RegisterRequestcauseStoreThreadsCallback(gauge(from, func(s core.Stats) int64 { return int64(s.ThreadsKept) })),
		r.RegisterRequestcauseProcessesCallback(gauge(from, func(s core.Stats) int64 { return int64(s.ProcessesKnown) })),
		r.RegisterRequestcauseNeighboursCallback(gauge(from, func(s core.Stats) int64 { return int64(s.RequestsKept) })),
		r.RegisterRequestcauseStallsStoredCallback(gauge(from, func(s core.Stats) int64 { return int64(s.Stalls.Stored) })),
		r.RegisterRequestcauseProcessesEvictedCallback(gauge(from, func(s core.Stats) int64 { return int64(s.ProcessesEvicted) })),
		r.RegisterRequestcauseResourceAttributesOmittedCallback(gauge(from, func(s core.Stats) int64 { return int64(s.AttributesOmitted) })),
		r.RegisterRequestcauseNeighboursEvictedCallback(gauge(from, func(s core.Stats) int64 { return int64(s.NeighboursEvicted) })),
		r.RegisterRequestcauseStallsEvictedCallback(byReason(func() map[string]uint64 { return evicted(from.stats()) })),
		r.RegisterRequestcauseStallsRefusedCallback(byReason(func() map[string]uint64 { return refusals(from.stats()) })),
		r.RegisterRequestcauseProcessLooksCallback(total(from, func(s locate.Stats) uint64 { return s.Looks })),
		r.RegisterRequestcauseProcessLooksTruncatedCallback(total(from, func(s locate.Stats) uint64 { return s.LooksCut })),
		r.RegisterRequestcauseStartupsEvictedCallback(total(from, func(s locate.Stats) uint64 { return s.StartsLost })),
		r.RegisterRequestcauseDecisionsDroppedCallback(total(from, func(s locate.Stats) uint64 { return s.Dropped })),
		r.RegisterRequestcausePeersCallback(counts("result", func() map[string]uint64 { return peers(from.located()) })),
		r.RegisterRequestcauseLookupsSlowCallback(counts("kind", func() map[string]uint64 { return slow(from.located()) })),
		r.RegisterRequestcauseHoldPayloadsCallback(r.holdPayloads),
		r.RegisterRequestcauseHoldBytesCallback(r.holdBytes),
	)
}

func gauge(from source, value func(core.Stats) int64) metric.Int64Callback {
	return func(_ context.Context, o metric.Int64Observer) error {
		o.Observe(value(from.stats()))
		return nil
	}
}

func total(from source, value func(locate.Stats) uint64) metric.Int64Callback {
	return func(_ context.Context, o metric.Int64Observer) error {
		o.Observe(int64(value(from.located())))
		return nil
	}
}

func byReason(values func() map[string]uint64) metric.Int64Callback { return counts("reason", values) }

func counts(key string, values func() map[string]uint64) metric.Int64Callback {
	return func(_ context.Context, o metric.Int64Observer) error {
		for name, n := range values() {
			o.Observe(int64(n), metric.WithAttributes(attribute.String(key, name)))
		}
		return nil
	}
}

func evicted(s core.Stats) map[string]uint64 {
	return map[string]uint64{"age": s.Stalls.EvictedAge, "bytes": s.Stalls.EvictedBytes}
}

func refusals(s core.Stats) map[string]uint64 {
	return map[string]uint64{
		"kind": s.OtherKinds, "process": s.Unidentified, "duplicate": s.Stalls.Duplicates,
		"threads": s.Stalls.RefusedThreads, "time": s.Stalls.RefusedTime, "disorder": s.Stalls.RefusedDisorder,
	}
}

func peers(s locate.Stats) map[string]uint64 {
	return map[string]uint64{
		"found": s.PeersFound, "foreign": s.PeersForeign, "unknown": s.Peers - s.PeersFound - s.PeersForeign,
	}
}

func slow(s locate.Stats) map[string]uint64 {
	return map[string]uint64{"processes": s.SlowLooks, "connection": s.SlowSearches}
}

func (r *report) holdPayloads(_ context.Context, o metric.Int64Observer) error {
	if r.hold != nil {
		n, _ := r.hold.size()
		o.Observe(int64(n))
	}
	return nil
}

func (r *report) holdBytes(_ context.Context, o metric.Int64Observer) error {
	if r.hold != nil {
		_, bytes := r.hold.size()
		o.Observe(bytes)
	}
	return nil
}
