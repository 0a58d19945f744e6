package measurement

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// Attribute keys (docs/telemetry.md).
const (
	keyThreadID      = "thread.id"
	keyThreadName    = "thread.name"
	keyCallName      = "cuda.call.name"
	keyCallClass     = "cuda.call.class"
	keyFunctionName  = "cuda.function.name"
	keyLayer         = "cuda.layer"
	keyErrorType     = "error.type"
	keyMemcpyKind    = "cuda.memcpy.kind"
	keyOffCPUKind    = "off_cpu.kind"
	keyOffCPUReason  = "off_cpu.reason"
	keyOverflow      = "otel.metric.overflow"
	keyDispatchState = "dispatch.state"
	keyStallCause    = "stall.cause"
	keyOperation     = "nccl.operation"
	keyCommunicator  = "nccl.communicator"
	keyRank          = "nccl.rank"
)

// Values of off_cpu.kind.
const (
	kindBlocked  = "blocked"
	kindRunnable = "runnable"
)

// kind is an instrument's kind.
type kind uint8

const (
	counter kind = iota
	upDownCounter
	exponentialHistogram
)

// instrument numbers the metrics in the order of their emission.
type instrument int

const (
	callDuration instrument = iota
	callInterrupted
	callOffCPUTime
	callErrors
	callEntries
	memcpySize
	memoryAllocated
	offCPUTime
	offCPUCount
	runQueueLatency
	dispatchTime
	dispatchCycleDuration
	dispatchStalls
	collectiveDuration
	collectiveWait
	collectiveSize
	instruments // how many there are
)

// definitions describes every metric, by instrument.
var definitions = [instruments]struct {
	name, unit, description string
	kind                    kind
}{
	callDuration:          {"gpu.cuda.call.duration", "s", "Duration of the calls of one function, entry to return, on the calling thread.", exponentialHistogram},
	callInterrupted:       {"gpu.cuda.call.interrupted", "{call}", "Calls in which the thread was off its CPU at least once.", counter},
	callOffCPUTime:        {"gpu.cuda.call.off_cpu.time", "s", "Time in calls in which the thread was not on a CPU.", counter},
	callErrors:            {"gpu.cuda.call.errors", "{call}", "Calls that returned an error.", counter},
	callEntries:           {"gpu.cuda.call.entries", "{call}", "Calls seen at entry only, where no return can be probed; they have no duration.", counter},
	memcpySize:            {"gpu.cuda.memcpy.size", "By", "Bytes that calls asked to copy.", counter},
	memoryAllocated:       {"gpu.cuda.memory.allocated", "By", "GPU memory that the process has allocated and not freed, by the calls seen.", upDownCounter},
	offCPUTime:            {"thread.off_cpu.time", "s", "Time in which threads were not on a CPU.", counter},
	offCPUCount:           {"thread.off_cpu.count", "{interval}", "Times that threads left their CPU.", counter},
	runQueueLatency:       {"thread.run_queue.latency", "s", "Time from a thread's wakeup to its switch-in.", exponentialHistogram},
	dispatchTime:          {"dispatch.time", "s", "Wall time of a dispatcher by what it did; the states of a thread sum to its wall time.", counter},
	dispatchCycleDuration: {"dispatch.cycle.duration", "s", "Duration of dispatch cycles: from the return of one blocking synchronisation to that of the next.", exponentialHistogram},
	collectiveDuration:    {"nccl.collective.duration", "s", "Time from a collective's enqueue until the host knew that it was complete: an upper bound of what it took.", exponentialHistogram},
	collectiveWait:        {"nccl.collective.wait", "s", "Time that the host was stalled in a synchronisation that waited for a collective.", exponentialHistogram},
	collectiveSize:        {"nccl.collective.size", "By", "Bytes of collectives, of the larger of what a rank puts in and gets out.", counter},
	dispatchStalls:        {"dispatch.stalls", "{cycle}", "Dispatch cycles that were slow for their thread, by cause.", counter},
}

// scope writes the metrics of one resource, each begun by its first point.
type scope struct {
	out     pmetric.MetricSlice
	metrics [instruments]pmetric.Metric
	begun   [instruments]bool
}

// metric returns the metric of i, beginning it if need be.
func (s *scope) metric(i instrument) pmetric.Metric {
	if s.begun[i] {
		return s.metrics[i]
	}
	metric := s.out.AppendEmpty()
	definition := &definitions[i]
	metric.SetName(definition.name)
	metric.SetUnit(definition.unit)
	metric.SetDescription(definition.description)
	if definition.kind == exponentialHistogram {
		metric.SetEmptyExponentialHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	} else {
		sum := metric.SetEmptySum()
		sum.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		sum.SetIsMonotonic(definition.kind == counter)
	}
	s.metrics[i], s.begun[i] = metric, true
	return metric
}

// period is the time that a cumulative point covers.
type period struct{ start, end pcommon.Timestamp }

func (s *scope) number(i instrument, p period) pmetric.NumberDataPoint {
	point := s.metric(i).Sum().DataPoints().AppendEmpty()
	point.SetStartTimestamp(p.start)
	point.SetTimestamp(max(p.start, p.end))
	return point
}

func (s *scope) histogram(i instrument, p period) pmetric.ExponentialHistogramDataPoint {
	point := s.metric(i).ExponentialHistogram().DataPoints().AppendEmpty()
	point.SetStartTimestamp(p.start)
	point.SetTimestamp(max(p.start, p.end))
	return point
}
