package collectiveskewconnector

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/measurement"
	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/spans"
	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/verdict"
)

// output makes of verdicts what the next consumer gets. It is for one goroutine at
// a time, but for the parcels, which are whoever's who collected them.
type output interface {
	// interval is the time between two collections.
	interval() time.Duration
	// take adds a verdict. It reports whether it is to be collected at once, and
	// whether there was room.
	take(v *verdict.Verdict) (urgent, ok bool)
	// collect returns what is to be handed over at now, and forgets it.
	collect(now time.Time) parcel
	// overflowed returns how many increments went to overflow series.
	overflowed() uint64
}

// parcel is what is handed to the next consumer.
type parcel struct {
	items int64 // 0: nothing to send
	send  func(context.Context) error
}

// maxPending is how many spans wait while the next consumer is busy.
const maxPending = 4096

// verdictSpans is the output as spans.
type verdictSpans struct {
	next    consumer.Traces
	version string
	batch   *spans.Batch // nil: empty
	pending int64
}

// interval is long because verdicts are collected as they come.
func (*verdictSpans) interval() time.Duration { return time.Minute }

func (*verdictSpans) overflowed() uint64 { return 0 }

func (s *verdictSpans) take(v *verdict.Verdict) (urgent, ok bool) {
	if v.Summary == "" {
		return false, true
	}
	if s.pending == maxPending {
		return true, false
	}
	if s.batch == nil {
		s.batch = spans.NewBatch(s.version)
	}
	s.batch.Append(v)
	s.pending++
	return true, true
}

func (s *verdictSpans) collect(time.Time) parcel {
	if s.batch == nil {
		return parcel{}
	}
	traces, next := s.batch.Traces(), s.next
	p := parcel{items: s.pending, send: func(ctx context.Context) error { return next.ConsumeTraces(ctx, traces) }}
	s.batch, s.pending = nil, 0
	return p
}

// verdictMetrics is the output as metrics.
type verdictMetrics struct {
	next  consumer.Metrics
	every time.Duration
	*measurement.Aggregator
}

func newVerdictMetrics(config *Config, set connector.Settings, next consumer.Metrics) *verdictMetrics {
	settings := config.measurement()
	settings.Version = set.BuildInfo.Version
	settings.Resource = writer(set.Resource.Attributes())
	return &verdictMetrics{
		next:       next,
		every:      config.MetricsFlushInterval,
		Aggregator: measurement.NewAggregator(settings, time.Now()),
	}
}

// writer is the resource of the metrics: the Collector that judged. Without it, two
// gateways would write to the same series.
func writer(collector pcommon.Map) pcommon.Map {
	resource := pcommon.NewMap()
	for _, key := range []string{"service.name", "service.instance.id"} {
		if value, ok := collector.Get(key); ok {
			value.CopyTo(resource.PutEmpty(key))
		}
	}
	return resource
}

func (m *verdictMetrics) interval() time.Duration { return m.every }

func (m *verdictMetrics) overflowed() uint64 { return m.Overflowed() }

func (m *verdictMetrics) take(v *verdict.Verdict) (urgent, ok bool) {
	m.Add(v)
	return false, true
}

func (m *verdictMetrics) collect(now time.Time) parcel {
	metrics, next := m.Metrics(now), m.next
	return parcel{
		items: int64(metrics.DataPointCount()),
		send:  func(ctx context.Context) error { return next.ConsumeMetrics(ctx, metrics) },
	}
}
