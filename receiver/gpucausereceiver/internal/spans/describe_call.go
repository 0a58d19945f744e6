package spans

import (
	"strconv"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/gpucause/gpucause/internal/causality"
	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/probe"
)

// unknownCall is the name of a call that the catalogue does not have.
const unknownCall = "unknown call"

func callName(call *event.Call) string {
	if p := probe.Get(call.Probe); p != nil {
		return p.Function
	}
	return unknownCall
}

func (w *writer) describeRoot(span ptrace.Span, chain *causality.Chain) {
	attributes := span.Attributes()
	attributes.PutStr(attrSummary, causality.Summary(chain))
	putAttribution(attributes, &chain.Attribution)
	if chain.Truncated > 0 {
		attributes.PutInt(attrTruncated, int64(chain.Truncated))
	}
	if chain.Orphan {
		attributes.PutBool(attrOrphan, true)
	}
}

func (w *writer) describeCall(span ptrace.Span, i *causality.Interval) {
	attributes, call := span.Attributes(), i.Call
	attributes.PutDouble(attrCallBlocked, call.Blocked.Seconds())
	attributes.PutDouble(attrCallRunnable, call.Runnable.Seconds())
	attributes.PutInt(attrSwitches, int64(call.Switches))
	putNotable(attributes, call.Notable)
	if i.Clipped() {
		attributes.PutInt(attrCallStart, w.batch.offset.UnixNano(call.Start))
		attributes.PutDouble(attrCallDuration, call.End.Sub(call.Start).Seconds())
	}
	if p := probe.Get(call.Probe); p != nil {
		describeProbe(attributes, p, call)
		w.nameFunction(attributes, p, i)
		describeResult(span, p, call)
	}
}

func describeProbe(attributes pcommon.Map, p *probe.Probe, call *event.Call) {
	attributes.PutStr(attrCallName, p.Function)
	attributes.PutStr(attrCallClass, p.Class.String())
	attributes.PutStr(attrLayer, p.Layer.String())
	for _, arg := range p.Args {
		putArg(attributes, arg, arg.Value(&call.Args))
	}
	if p.CountsBytes && p.KindSlot == probe.NoSlot {
		attributes.PutStr(attrMemcpyKind, p.Kind.String())
	}
}

func putArg(attributes pcommon.Map, arg probe.Arg, value uint64) {
	switch arg.Type {
	case probe.TypeHandle:
		attributes.PutStr(arg.Key, "0x"+strconv.FormatUint(value, 16))
	case probe.TypeMemcpyKind:
		attributes.PutStr(arg.Key, memcpyKind(value))
	default:
		attributes.PutInt(arg.Key, int64(value))
	}
}

// memcpyKind names a direction; the argument is whatever the caller passed.
func memcpyKind(value uint64) string {
	return probe.MemcpyKind(min(value, uint64(probe.MemcpyKinds))).String()
}

func (w *writer) nameFunction(attributes pcommon.Map, p *probe.Probe, i *causality.Interval) {
	lookup := w.batch.builder.settings.FunctionName
	if lookup == nil || int(p.FunctionSlot) >= probe.MaxSlots {
		return
	}
	if name := lookup(i.Process, i.Call.Args[p.FunctionSlot]); name != "" {
		attributes.PutStr(attrFunctionName, name)
	}
}

// launched returns the handle of the function that a call launches, or 0.
func launched(call *event.Call) uint64 {
	if p := probe.Get(call.Probe); p != nil && int(p.FunctionSlot) < probe.MaxSlots {
		return call.Args[p.FunctionSlot]
	}
	return 0
}

func describeResult(span ptrace.Span, p *probe.Probe, call *event.Call) {
	if call.Notable&event.NotableAbandoned != 0 {
		span.Attributes().PutBool(attrAbandoned, true)
		return
	}
	span.Attributes().PutInt(attrResult, int64(call.Result))
	if call.Notable&event.NotableFailed != 0 {
		name := probe.ResultName(p.Layer, call.Result)
		span.Attributes().PutStr(attrErrorType, name)
		span.Status().SetCode(ptrace.StatusCodeError)
		span.Status().SetMessage(name)
	}
}

// notableNames are the values of cuda.call.notable.
var notableNames = [...]struct {
	flag event.Notable
	name string
}{
	{event.NotableSlow, "slow"},
	{event.NotableInterrupted, "interrupted"},
	{event.NotableFailed, "failed"},
	{event.NotableFirstLaunch, "first_launch"},
	{event.NotableSampled, "sampled"},
	{event.NotableChild, "contains_notable"},
	{event.NotableAbandoned, "abandoned"},
	{event.NotableCollective, "collective"},
}

func putNotable(attributes pcommon.Map, notable event.Notable) {
	if notable&event.NotableFirstLaunch != 0 {
		attributes.PutBool(attrFirstLaunch, true)
	}
	if notable == 0 {
		return
	}
	names := attributes.PutEmptySlice(attrNotable)
	for _, n := range notableNames {
		if notable&n.flag != 0 {
			names.AppendEmpty().SetStr(n.name)
		}
	}
}
