package spans

import (
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/join"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/request"
)

// attributesPerChild is enough for a stall over all phases.
const attributesPerChild = 18

// child shows a stall in the request's trace, cut to the request.
func (p *Payload) child(joined *Joined, h *join.Hit) {
	span := p.begin(h.Process, prefixStall+h.Label(), h.Overlap)
	span.SetTraceID(joined.Request.Trace)
	span.SetParentSpanID(joined.Request.Span)
	span.SetSpanID(childID(joined.Request, h))
	addLink(span, h.Trace, h.Root, linkStall)
	attributes := span.Attributes()
	attributes.EnsureCapacity(attributesPerChild)
	describeStall(attributes, h)
	attributes.PutStr(attrScope, string(joined.Decision.Scope))
	attributes.PutInt(attrStart, int64(h.Start))
	attributes.PutDouble(attrDuration, h.Duration().Seconds())
	attributes.PutDouble(attrOverlap, h.Overlap.Duration().Seconds())
	if h.Typical > 0 {
		attributes.PutDouble(attrTypical, h.Typical.Seconds())
		attributes.PutDouble(attrExcess, h.Excess().Seconds())
	}
	putPhase(attributes, h)
}

func describeStall(attributes pcommon.Map, h *join.Hit) {
	attributes.PutStr(attrKind, h.Kind)
	putText(attributes, attrCause, h.Cause)
	if h.Cause != "" && h.Explained >= 0 {
		attributes.PutDouble(attrExplained, h.Explained)
	}
	putText(attributes, attrSummary, h.Summary)
	attributes.PutInt(attrThreadID, h.TID)
	putText(attributes, attrThreadName, h.ThreadName)
}

// putPhase says which phase the stall hit, and how much of each where it hit
// several.
func putPhase(attributes pcommon.Map, h *join.Hit) {
	if h.Phase == request.PhaseNone {
		return
	}
	attributes.PutStr(attrPhase, h.Phase.String())
	if h.Shares[h.Phase] >= 1 {
		return
	}
	for phase := request.PhaseNone + 1; phase < request.NumPhases; phase++ {
		if share := h.Shares[phase]; share > 0 {
			attributes.PutDouble(prefixPhasePart+phase.String(), share)
		}
	}
}

func putText(attributes pcommon.Map, key, value string) {
	if value != "" {
		attributes.PutStr(key, value)
	}
}
