package intake

import (
	"math"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/collective"
)

// fields are the attributes of a span, as far as they are of the right type. The
// strings are the span's.
type fields struct {
	operation, communicator, reduction, datatype string
	quality, cause, summary, errorType           string
	size, rank, sequence, root, peer, count      int64 // collective.Unknown where not there
	enqueue, notBefore, completion, waitStart    int64 // 0 where not there
	wait, explained                              float64
	sampled                                      bool
	end                                          collective.Completion
	own                                          bool // a span of this connector
	hasLedger                                    bool
	ledger                                       collective.Ledger
}

// read reads the attributes of a span into f.
func (r *Reader) read(attributes pcommon.Map) *fields {
	f := &r.fields
	*f = fields{
		size: collective.Unknown, rank: collective.Unknown, sequence: collective.Unknown,
		root: collective.Unknown, peer: collective.Unknown, count: collective.Unknown, wait: math.NaN(),
	}
	for key, value := range attributes.All() {
		switch value.Type() {
		case pcommon.ValueTypeStr:
			f.text(key, value.Str())
		case pcommon.ValueTypeInt:
			f.number(key, value.Int())
		case pcommon.ValueTypeDouble:
			r.seconds(f, key, value.Double())
		case pcommon.ValueTypeBool:
			f.flag(key, value)
		default:
		}
	}
	return f
}

func (f *fields) text(key, value string) {
	switch key {
	case attrOperation:
		f.operation = value
	case attrCommunicator:
		f.communicator = value
	case attrReduction:
		f.reduction = value
	case attrDatatype:
		f.datatype = value
	case attrQuality:
		f.quality = value
	case attrCause:
		f.cause = value
	case attrSummary:
		f.summary = value
	case attrErrorType:
		f.errorType = value
	case attrVerdict:
		f.own = true
	}
}

func (f *fields) number(key string, value int64) {
	switch key {
	case attrSize:
		f.size = value
	case attrRank:
		f.rank = value
	case attrSequence:
		f.sequence = value
	case attrRoot:
		f.root = value
	case attrPeer:
		f.peer = value
	case attrCount:
		f.count = value
	case attrEnqueue:
		f.enqueue = value
	case attrNotBefore:
		f.notBefore = value
	case attrCompletion:
		f.completion = value
	case attrWaitStart:
		f.waitStart = value
	}
}

func (f *fields) flag(key string, value pcommon.Value) {
	switch key {
	case attrSampled:
		f.sampled = value.Bool()
	case attrCompleted:
		f.end = collective.CompletionPending
		if value.Bool() {
			f.end = collective.CompletionSeen
		}
	}
}

func (r *Reader) seconds(f *fields, key string, value float64) {
	switch {
	case strings.HasPrefix(key, prefixLedger):
		state, ok := r.states[key[len(prefixLedger):]]
		if ok && plausible(value) {
			f.ledger[state] = float32(value)
		}
		f.hasLedger = true
	case key == attrWait:
		f.wait = value
	case key == attrExplained && value >= 0 && value <= 1:
		f.explained = value
	}
}

// longest is how long anything in a report may take, and how far the times of one
// report may lie apart.
const longest = 24 * time.Hour

// latest is the latest time of an enqueue, in the year 2116: sums of times that
// are near it do not overflow.
const latest = 1 << 62

// plausible reports whether a duration in seconds can be true.
func plausible(seconds float64) bool {
	return seconds >= 0 && seconds <= longest.Seconds()
}

// near reports whether a reading can belong to the same report as at.
func near(reading, at int64) bool {
	return reading > 0 && collective.Time(reading).Sub(collective.Time(at)).Abs() <= longest
}
