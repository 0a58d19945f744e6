package measurement

import (
	"maps"
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
	"github.com/gpucause/gpucause/internal/probe"
)

// Describe fills in the resource of a process. The zero ProcessID stands for
// the host: increments that the Linux kernel side had no room to tell apart.
type Describe func(event.ProcessID, pcommon.Resource)

// Metrics returns the cumulative values of every series as of the latest
// snapshot, and forgets the series that have ended and the exemplars.
func (a *Aggregator) Metrics(offset ktime.Offset, describe Describe) pmetric.Metrics {
	a.written = max(a.written, pcommon.Timestamp(offset.UnixNano(a.at)))
	out := pmetric.NewMetrics()
	for _, id := range slices.SortedFunc(maps.Keys(a.processes), compareProcesses) {
		resource := out.ResourceMetrics().AppendEmpty()
		describe(id, resource.Resource())
		inScope := resource.ScopeMetrics().AppendEmpty()
		inScope.Scope().SetName(a.settings.ScopeName)
		inScope.Scope().SetVersion(a.settings.ScopeVersion)
		w := writer{scope: scope{out: inScope.Metrics()}, process: a.processes[id], end: a.written}
		w.write()
	}
	out.ResourceMetrics().RemoveIf(isEmpty)
	a.forgetEnded()
	return out
}

func isEmpty(r pmetric.ResourceMetrics) bool {
	return r.ScopeMetrics().At(0).Metrics().Len() == 0
}

func (a *Aggregator) forgetEnded() {
	a.series = 0
	for id, p := range a.processes {
		if p.ended {
			delete(a.processes, id)
			continue
		}
		p.forgetExited()
		for _, s := range p.calls {
			s.exemplars = nil
		}
		a.series += p.size()
	}
}

// writer writes the points of one process.
type writer struct {
	scope
	process *process
	end     pcommon.Timestamp
}

func (w *writer) write() {
	for _, key := range slices.SortedFunc(maps.Keys(w.process.calls), compareCalls) {
		w.writeCalls(key, w.process.calls[key])
	}
	for _, key := range slices.SortedFunc(maps.Keys(w.process.errors), compareErrors) {
		w.writeErrors(key, w.process.errors[key])
	}
	for _, tid := range slices.Sorted(maps.Keys(w.process.threads)) {
		w.writeThread(tid, w.process.threads[tid])
	}
	for _, tid := range slices.Sorted(maps.Keys(w.process.dispatch)) {
		w.writeDispatch(tid, w.process.dispatch[tid])
	}
	for _, key := range slices.SortedFunc(maps.Keys(w.process.stalls), compareStalls) {
		w.writeStalls(key, w.process.stalls[key])
	}
	for _, key := range slices.SortedFunc(maps.Keys(w.process.collectives), compareCollectives) {
		w.writeCollectives(key, w.process.collectives[key])
	}
	if memory := w.process.memory; memory != nil {
		w.number(memoryAllocated, period{memory.start, w.end}).SetIntValue(memory.allocated)
	}
}

func (w *writer) writeCalls(key callKey, s *callSeries) {
	attributes := pcommon.NewMap()
	putCall(attributes, key.function, key.layer, s.class)
	if key.launched != "" {
		attributes.PutStr(keyFunctionName, key.launched)
	}
	w.putThread(attributes, key.thread)
	at := period{s.start, w.end}
	if s.entries > 0 {
		attributes.CopyTo(intPoint(&w.scope, callEntries, at, s.entries))
	}
	if s.durations.count == 0 {
		return
	}
	w.writeDuration(key, s, attributes)
	attributes.CopyTo(intPoint(&w.scope, callInterrupted, at, s.interrupted))
	w.writeCallOffCPU(s, attributes)
}

func (w *writer) writeDuration(key callKey, s *callSeries, attributes pcommon.Map) {
	point := w.histogram(callDuration, period{s.start, w.end})
	s.durations.copyTo(point)
	attributes.CopyTo(point.Attributes())
	for i := range s.exemplars {
		s.exemplars[i].copyTo(point.Exemplars().AppendEmpty(), key.thread)
	}
}

func (w *writer) writeCallOffCPU(s *callSeries, attributes pcommon.Map) {
	at := period{s.start, w.end}
	blocked := w.number(callOffCPUTime, at)
	blocked.SetDoubleValue(s.blocked.Seconds())
	attributes.CopyTo(blocked.Attributes())
	blocked.Attributes().PutStr(keyOffCPUKind, kindBlocked)

	runnable := w.number(callOffCPUTime, at)
	runnable.SetDoubleValue(s.runnable.Seconds())
	attributes.CopyTo(runnable.Attributes())
	runnable.Attributes().PutStr(keyOffCPUKind, kindRunnable)
}

func (w *writer) writeErrors(key errorKey, s *errorSeries) {
	attributes := intPoint(&w.scope, callErrors, period{s.start, w.end}, s.count)
	putCall(attributes, key.function, key.layer, s.class)
	if key.function != "" {
		attributes.PutStr(keyErrorType, probe.ResultName(key.layer, key.result))
	}
}

func (w *writer) writeThread(tid event.TID, s *threadSeries) {
	at := period{s.start, w.end}
	for i, n := range s.copied {
		if n > 0 {
			attributes := intPoint(&w.scope, memcpySize, at, n)
			attributes.PutStr(keyMemcpyKind, probe.MemcpyKind(i).String())
			w.putThread(attributes, tid)
		}
	}
	for reason := range event.Reasons {
		w.writeOffCPU(tid, s, reason)
	}
	if s.runQueue.count > 0 {
		point := w.histogram(runQueueLatency, at)
		s.runQueue.copyTo(point)
		w.putThread(point.Attributes(), tid)
	}
}

func (w *writer) writeOffCPU(tid event.TID, s *threadSeries, reason event.OffCPUReason) {
	if s.time[reason] == 0 && s.count[reason] == 0 {
		return
	}
	at := period{s.start, w.end}
	point := w.number(offCPUTime, at)
	point.SetDoubleValue(s.time[reason].Seconds())
	putReason(point.Attributes(), reason)
	w.putThread(point.Attributes(), tid)
	if s.count[reason] > 0 {
		attributes := intPoint(&w.scope, offCPUCount, at, s.count[reason])
		putReason(attributes, reason)
		w.putThread(attributes, tid)
	}
}

// putThread names the dispatcher that a series belongs to; 0 is the process's.
func (w *writer) putThread(attributes pcommon.Map, tid event.TID) {
	if d, ok := w.process.dispatchers[tid]; ok {
		attributes.PutInt(keyThreadID, int64(tid))
		attributes.PutStr(keyThreadName, d.name)
	}
}

// putCall names a function; the empty name is the overflow series.
func putCall(attributes pcommon.Map, function string, layer probe.Layer, class probe.Class) {
	if function == "" {
		attributes.PutBool(keyOverflow, true)
		return
	}
	attributes.PutStr(keyCallName, function)
	attributes.PutStr(keyCallClass, class.String())
	attributes.PutStr(keyLayer, layer.String())
}

func putReason(attributes pcommon.Map, reason event.OffCPUReason) {
	kind := kindBlocked
	if reason.Runnable() {
		kind = kindRunnable
	}
	attributes.PutStr(keyOffCPUKind, kind)
	attributes.PutStr(keyOffCPUReason, reason.String())
}

// intPoint adds a point and returns its attributes.
func intPoint(s *scope, i instrument, p period, value uint64) pcommon.Map {
	point := s.number(i, p)
	point.SetIntValue(int64(value))
	return point.Attributes()
}
