package measurement

import (
	"maps"
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/collective"
	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/spans"
	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/verdict"
)

// Settings say how much is kept, and under which name it is emitted.
type Settings struct {
	MaxSeries  int           // of all metrics; one overflow series of each comes on top
	Expiration time.Duration // series to which nothing was added for so long end
	MinLag     time.Duration // what is shorter is no lag
	Resource   pcommon.Map   // of whoever emits the metrics
	Version    string        // of the scope
}

// Aggregator holds the series. It is for one goroutine.
type Aggregator struct {
	settings   Settings
	began      time.Time
	series     map[key]*series
	overflowed uint64
}

// NewAggregator returns an Aggregator without series. Nothing is counted before began.
func NewAggregator(settings Settings, began time.Time) *Aggregator {
	return &Aggregator{settings: settings, began: began, series: make(map[key]*series)}
}

// Overflowed returns how many increments went to overflow series.
func (a *Aggregator) Overflowed() uint64 { return a.overflowed }

// Add counts a verdict.
func (a *Aggregator) Add(v *verdict.Verdict) {
	c := v.Collective
	in := key{communicator: c.Communicator, rank: collective.Unknown, operation: c.Operation()}
	if a.sayable(v.Skew) {
		in.instrument = arrivalSkew
		a.at(in, v.At).durations.add(v.Skew.Time)
	}
	switch v.Kind {
	case verdict.Straggler:
		a.addStraggler(v)
	case verdict.Desynchronized:
		in.instrument = desynchronized
		a.at(in, v.At).count++
	case verdict.MissingRanks:
		in.instrument = missingRanks
		a.at(in, v.At).count++
	default:
	}
}

// sayable reports whether the error of a skew is small: against the skew itself, or
// against what would be a lag.
func (a *Aggregator) sayable(skew verdict.Skew) bool {
	return skew.Known && (skew.Error <= a.settings.MinLag || skew.Error <= skew.Time/2)
}

func (a *Aggregator) addStraggler(v *verdict.Verdict) {
	late := v.Late
	of := key{
		instrument:   stragglerLag,
		communicator: v.Collective.Communicator,
		rank:         late.Rank.Number,
		host:         late.Rank.Process.HostName,
	}
	s := a.at(of, v.At)
	s.durations.add(late.Lag)
	s.exemplar = exemplar{at: v.At, value: late.Lag, trace: v.Collective.Trace, span: spans.SpanID(v.Collective.Trace)}

	of.instrument, of.cause, of.proof = stragglerCount, late.Cause, proofOf(late)
	a.at(of, v.At).count++
}

// at returns the series at k, or the overflow series where there is no room for
// another.
func (a *Aggregator) at(k key, now time.Time) *series {
	s, ok := a.series[k]
	if !ok && !k.overflow && len(a.series) >= a.settings.MaxSeries {
		a.overflowed++
		return a.at(key{instrument: k.instrument, rank: collective.Unknown, overflow: true}, now)
	}
	if !ok {
		s = &series{start: a.began}
		a.series[k] = s
	}
	s.used = now
	return s
}

// Metrics returns the values of all series at now, and forgets those that have
// expired. A series that begins anew begins at the time of this emission, so that
// the periods of one key do not overlap.
func (a *Aggregator) Metrics(now time.Time) pmetric.Metrics {
	out := pmetric.NewMetrics()
	if len(a.series) == 0 {
		a.began = now
		return out
	}
	resource := out.ResourceMetrics().AppendEmpty()
	a.settings.Resource.CopyTo(resource.Resource().Attributes())
	scope := resource.ScopeMetrics().AppendEmpty()
	scope.Scope().SetName(spans.ScopeName)
	scope.Scope().SetVersion(a.settings.Version)
	a.write(scope.Metrics(), now)
	maps.DeleteFunc(a.series, func(_ key, s *series) bool { return now.Sub(s.used) >= a.settings.Expiration })
	a.began = now
	return out
}

func (a *Aggregator) write(metrics pmetric.MetricSlice, now time.Time) {
	var metric pmetric.Metric
	current := instruments
	for _, k := range slices.SortedFunc(maps.Keys(a.series), compareKeys) {
		if k.instrument != current {
			current, metric = k.instrument, metrics.AppendEmpty()
			current.begin(metric)
		}
		point(metric, k, a.series[k], pcommon.NewTimestampFromTime(now))
	}
}

func point(metric pmetric.Metric, k key, s *series, now pcommon.Timestamp) {
	start := pcommon.NewTimestampFromTime(s.start)
	if definitions[k.instrument].histogram {
		p := metric.ExponentialHistogram().DataPoints().AppendEmpty()
		p.SetStartTimestamp(start)
		p.SetTimestamp(now)
		k.attributes(p.Attributes())
		s.durations.copyTo(p)
		s.exemplarTo(p.Exemplars())
		return
	}
	p := metric.Sum().DataPoints().AppendEmpty()
	p.SetStartTimestamp(start)
	p.SetTimestamp(now)
	k.attributes(p.Attributes())
	p.SetIntValue(int64(s.count))
}
