package measurement

import "go.opentelemetry.io/collector/pdata/pmetric"

// Attribute keys (docs/telemetry.md).
const (
	keyOperation    = "nccl.operation"
	keyCommunicator = "nccl.communicator"
	keyRank         = "nccl.rank"
	keyHostName     = "host.name"
	keyCause        = "stall.cause"
	keyProven       = "nccl.straggler.proven"
	keyOverflow     = "otel.metric.overflow"
)

// instrument numbers the metrics in the order of their emission.
type instrument uint8

const (
	arrivalSkew instrument = iota
	stragglerLag
	stragglerCount
	desynchronized
	missingRanks
	instruments // how many there are
)

// definitions describes every metric, by instrument.
var definitions = [instruments]struct {
	name, unit, description string
	histogram               bool
}{
	arrivalSkew:    {"nccl.collective.arrival_skew", "s", "Time from the earliest to the latest enqueue of a collective, of all ranks.", true},
	stragglerLag:   {"nccl.straggler.lag", "s", "How much later than others a straggler enqueued.", true},
	stragglerCount: {"nccl.straggler.count", "{collective}", "Collectives for which a rank was the straggler, by cause.", false},
	desynchronized: {"nccl.collective.desynchronized", "{collective}", "Collectives of which ranks did not ask for the same.", false},
	missingRanks:   {"nccl.collective.missing_ranks", "{collective}", "Collectives to which ranks did not come.", false},
}

// begin makes metric the empty metric of i.
func (i instrument) begin(metric pmetric.Metric) {
	definition := &definitions[i]
	metric.SetName(definition.name)
	metric.SetUnit(definition.unit)
	metric.SetDescription(definition.description)
	if definition.histogram {
		metric.SetEmptyExponentialHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		return
	}
	sum := metric.SetEmptySum()
	sum.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	sum.SetIsMonotonic(true)
}
