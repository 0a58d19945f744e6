package measurement

import (
	"cmp"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/collective"
	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/verdict"
)

// proof is whether somebody provably waited for a straggler.
type proof uint8

const (
	unproven proof = iota
	proven
)

func proofOf(late *verdict.Late) proof {
	if late.Waiters > 0 {
		return proven
	}
	return unproven
}

// key names a series. What an instrument has not is zero; of ranks it is -1. Each
// instrument has one overflow series.
type key struct {
	instrument   instrument
	overflow     bool
	proof        proof // of a straggler count
	operation    collective.Operation
	rank         int32
	communicator string
	host         string
	cause        string
}

func compareKeys(a, b key) int {
	return cmp.Or(
		cmp.Compare(a.instrument, b.instrument), cmp.Compare(a.communicator, b.communicator),
		cmp.Compare(a.operation, b.operation), cmp.Compare(a.rank, b.rank),
		cmp.Compare(a.host, b.host), cmp.Compare(a.cause, b.cause), cmp.Compare(a.proof, b.proof),
	)
}

// attributes puts the attributes of the series.
func (k *key) attributes(to pcommon.Map) {
	if k.overflow {
		to.PutBool(keyOverflow, true)
		return
	}
	to.PutStr(keyCommunicator, k.communicator)
	if k.operation != collective.OperationUnknown {
		to.PutStr(keyOperation, k.operation.String())
	}
	if k.rank != collective.Unknown {
		to.PutInt(keyRank, int64(k.rank))
	}
	if k.host != "" {
		to.PutStr(keyHostName, k.host)
	}
	if k.cause != "" {
		to.PutStr(keyCause, k.cause)
	}
	if k.instrument == stragglerCount {
		to.PutBool(keyProven, k.proof == proven)
	}
}

// exemplar is a straggler that a series counted.
type exemplar struct {
	at    time.Time
	value time.Duration
	trace pcommon.TraceID
	span  pcommon.SpanID
}

// series are the values of one key.
type series struct {
	start     time.Time // nothing was counted before
	used      time.Time // when something was counted last
	count     uint64
	durations histogram
	exemplar  exemplar // the latest since the last emission; of a histogram
}

func (s *series) exemplarTo(exemplars pmetric.ExemplarSlice) {
	if s.exemplar.trace.IsEmpty() {
		return
	}
	e := exemplars.AppendEmpty()
	e.SetTimestamp(pcommon.NewTimestampFromTime(s.exemplar.at))
	e.SetDoubleValue(s.exemplar.value.Seconds())
	e.SetTraceID(s.exemplar.trace)
	e.SetSpanID(s.exemplar.span)
	s.exemplar = exemplar{}
}
