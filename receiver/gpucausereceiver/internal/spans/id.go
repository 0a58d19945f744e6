package spans

import (
	"crypto/sha256"
	"encoding/binary"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/gpucause/gpucause/internal/causality"
	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
)

// spanKind tells spans of one thread with the same start apart.
type spanKind uint8

const (
	kindCall spanKind = iota + 1
	kindBlocked
	kindRunnable
	kindCycle
	kindCollective
)

// rootID identifies a trace and its root span. It follows from the outermost
// call or the cycle alone, so that anybody who knows it can link to its trace.
type rootID struct {
	trace  pcommon.TraceID
	span   pcommon.SpanID
	parent pcommon.SpanID // of the span that the root's thread was in; zero: the trace is its own
}

func (b *Builder) rootID(process event.ProcessID, call *event.Call) rootID {
	own := b.traceID(process, call.Task.Thread.TID, call.Start, kindCall)
	return b.root(own, callKey(call), &call.Span)
}

// stallID identifies the trace of a dispatch cycle. A call that began with the
// cycle has another one.
func (b *Builder) stallID(stall *causality.Stall) rootID {
	cycle := &stall.Cycle
	own := b.traceID(stall.Process, cycle.Task.Thread.TID, cycle.Start, kindCycle)
	return b.root(own, cycleKey(cycle), &cycle.Span)
}

// root identifies a root in a trace of its own, or in that of the span that its thread was in.
func (b *Builder) root(own pcommon.TraceID, key spanKey, active *event.ActiveSpan) rootID {
	id := rootID{trace: own}
	if b.settings.ActiveParent && active.Recorded() {
		id.trace, id.parent = active.TraceID, active.SpanID
	}
	id.span = spanID(id.trace, id.parent, key)
	return id
}

// traceID is a hash of host, process, thread, start and what the root is. It is never zero.
func (b *Builder) traceID(process event.ProcessID, tid event.TID, start ktime.Time, kind spanKind) pcommon.TraceID {
	data := append([]byte(b.settings.HostID), 0)
	data = binary.BigEndian.AppendUint32(data, uint32(process.PID))
	data = binary.BigEndian.AppendUint64(data, uint64(process.Start))
	data = binary.BigEndian.AppendUint32(data, uint32(tid))
	data = binary.BigEndian.AppendUint64(data, uint64(start))
	if kind != kindCall {
		data = append(data, byte(kind))
	}
	sum := sha256.Sum256(data)
	id := pcommon.TraceID(sum[:16])
	if id.IsEmpty() {
		id[15] = 1
	}
	return id
}

// spanKey is what tells a span from its siblings.
type spanKey struct {
	thread event.Thread
	start  ktime.Time // true start, not a clipped one
	kind   spanKind
	call   uint64
}

func callKey(call *event.Call) spanKey {
	return spanKey{thread: call.Task.Thread, start: call.Start, kind: kindCall, call: call.ID}
}

func cycleKey(cycle *event.Cycle) spanKey {
	return spanKey{thread: cycle.Task.Thread, start: cycle.Start, kind: kindCycle}
}

func offCPUKey(o *event.OffCPU, kind spanKind) spanKey {
	return spanKey{thread: o.Task.Thread, start: o.Start, kind: kind, call: o.Call}
}

// spanID is a hash of the trace, the parent and the key. It is never zero.
func spanID(trace pcommon.TraceID, parent pcommon.SpanID, key spanKey) pcommon.SpanID {
	data := make([]byte, 0, 64)
	data = append(data, trace[:]...)
	data = append(data, parent[:]...)
	data = binary.BigEndian.AppendUint32(data, uint32(key.thread.PID))
	data = binary.BigEndian.AppendUint32(data, uint32(key.thread.TID))
	data = binary.BigEndian.AppendUint64(data, uint64(key.start))
	data = binary.BigEndian.AppendUint64(data, key.call)
	data = append(data, byte(key.kind))
	sum := sha256.Sum256(data)
	id := pcommon.SpanID(sum[:8])
	if id.IsEmpty() {
		id[7] = 1
	}
	return id
}
