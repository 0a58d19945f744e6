package measurement

import (
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
	"github.com/gpucause/gpucause/internal/probe"
)

// Settings bound an [Aggregator] and name its instrumentation scope.
type Settings struct {
	MaxSeriesPerProcess int
	MaxSeries           int // of all processes together
	ScopeName           string
	ScopeVersion        string
	// FunctionName names a launched function by its handle, or returns "". Nil
	// names none.
	FunctionName func(process event.ProcessID, handle uint64) string
}

// Aggregator sums snapshots up. It is not safe for concurrent use.
//
// Invariant: an increment is added to exactly one series of its kind.
type Aggregator struct {
	settings   Settings
	processes  map[event.ProcessID]*process
	series     int // of all processes, those that count towards the limits
	at         ktime.Time
	written    pcommon.Timestamp                    // of the latest points; never goes back
	stalls     map[stall]uint64                     // judged since the latest Add
	operations map[toldCollective]*collectiveSeries // since the latest Add
	overflowed uint64
}

// NewAggregator returns an Aggregator without series.
func NewAggregator(settings Settings) *Aggregator {
	return &Aggregator{
		settings:   settings,
		processes:  make(map[event.ProcessID]*process),
		stalls:     make(map[stall]uint64),
		operations: make(map[toldCollective]*collectiveSeries),
	}
}

// Overflowed returns how many samples have been counted in an overflow series.
func (a *Aggregator) Overflowed() uint64 { return a.overflowed }

// Add adds the increments of a snapshot. offset dates the series that begin
// with it; their start times stay as they are when the wall clock is adjusted later.
func (a *Aggregator) Add(snapshot *event.Snapshot, offset ktime.Offset) {
	add := addition{Aggregator: a, snapshot: snapshot, offset: offset}
	add.promoteDispatchers()
	add.calls()
	add.errors()
	add.offCPU()
	add.memory()
	add.dispatch()
	add.judged()
	add.collectives()
	add.markExited()
	a.at = snapshot.At
}

// End makes the next [Aggregator.Metrics] the last one with series of the process.
func (a *Aggregator) End(id event.ProcessID) {
	p, ok := a.processes[id]
	if !ok {
		return
	}
	p.ended = true
	if p.memory != nil {
		p.memory.allocated = 0
	}
}

// Processes calls visit for every process that has series.
func (a *Aggregator) Processes(visit func(event.ProcessID)) {
	for id := range a.processes {
		visit(id)
	}
}

// addition is one Add.
type addition struct {
	*Aggregator
	snapshot *event.Snapshot
	offset   ktime.Offset
}

func (a *addition) process(id event.ProcessID) *process {
	p, ok := a.processes[id]
	if !ok {
		p = newProcess()
		a.processes[id] = p
	}
	return p
}

// start dates a series whose first increment is in this snapshot: since, but
// not before the previous snapshot, whose increments went elsewhere.
func (a *addition) start(since ktime.Time) pcommon.Timestamp {
	begin := max(since, a.at)
	if begin == 0 || begin > a.snapshot.At {
		begin = a.snapshot.At
	}
	return pcommon.Timestamp(a.offset.UnixNano(begin))
}

// room reports whether p may have one more series, and counts the sample as
// overflowed where not.
func (a *addition) room(p *process) bool {
	if p.size() < a.settings.MaxSeriesPerProcess && a.series < a.settings.MaxSeries {
		return true
	}
	a.overflowed++
	return false
}

// seriesAt returns the series at key, or the one at the zero key where there is
// no room for a new one: the overflow series, or for threads their process's.
// A series that begins is fresh.
func seriesAt[K comparable, S any](a *addition, p *process, series map[K]*S, key K, fresh S) *S {
	if s, ok := series[key]; ok {
		return s
	}
	var overflow K
	if key != overflow && !a.room(p) {
		return seriesAt(a, p, series, overflow, fresh)
	}
	a.series++
	series[key] = &fresh
	return &fresh
}

func (a *addition) promoteDispatchers() {
	for i := range a.snapshot.Calls {
		sample := &a.snapshot.Calls[i]
		row := probe.Get(sample.Probe)
		if row != nil && row.Class == probe.ClassLaunch && sample.Task.Thread.TID != 0 {
			a.process(sample.Process).promote(sample.Task)
		}
	}
	for i := range a.snapshot.Ledger {
		if sample := &a.snapshot.Ledger[i]; sample.Task.Thread.TID != 0 {
			a.process(sample.Process).promote(sample.Task)
		}
	}
}

func (a *addition) calls() {
	for i := range a.snapshot.Calls {
		sample := &a.snapshot.Calls[i]
		p := a.process(sample.Process)
		a.callSeries(p, sample).add(sample)
		if sample.Bytes != [probe.MemcpyKinds]uint64{} {
			a.threadSeries(p, sample.Task.Thread.TID, sample.Since).addCopied(&sample.Bytes)
		}
	}
}

func (a *addition) callSeries(p *process, sample *event.CallSample) *callSeries {
	key, fresh := callKey{}, callSeries{start: a.start(sample.Since)}
	if row := probe.Get(sample.Probe); row != nil && sample.Task.Thread.TID != 0 {
		key = callKey{
			thread: p.seriesThread(sample.Task.Thread.TID), function: row.Function, layer: row.Layer,
			launched: a.launched(sample.Process, sample.Function),
		}
		fresh.class = row.Class
	}
	return seriesAt(a, p, p.calls, key, fresh)
}

// unknownFunction is the value of cuda.function.name for a function without a name.
const unknownFunction = "unknown"

// launched names a launched function: "" for calls that are not counted by it.
func (a *Aggregator) launched(process event.ProcessID, handle uint64) string {
	if handle == 0 {
		return ""
	}
	if a.settings.FunctionName != nil {
		if name := a.settings.FunctionName(process, handle); name != "" {
			return name
		}
	}
	return unknownFunction
}

func (a *addition) errors() {
	for i := range a.snapshot.Errors {
		sample := &a.snapshot.Errors[i]
		a.errorSeries(a.process(sample.Process), sample).count += sample.Count
	}
}

func (a *addition) errorSeries(p *process, sample *event.ErrorSample) *errorSeries {
	key, fresh := errorKey{}, errorSeries{start: a.start(a.at)}
	if row := probe.Get(sample.Probe); row != nil {
		key = errorKey{function: row.Function, layer: row.Layer, result: sample.Result}
		fresh.class = row.Class
	}
	return seriesAt(a, p, p.errors, key, fresh)
}

func (a *addition) offCPU() {
	for i := range a.snapshot.OffCPU {
		sample := &a.snapshot.OffCPU[i]
		p := a.process(sample.Process)
		a.threadSeries(p, sample.Task.Thread.TID, sample.Since).addOffCPU(sample)
	}
}

// threadSeries returns the series of tid, or the process's where tid is no
// dispatcher or there is no room.
func (a *addition) threadSeries(p *process, tid event.TID, since ktime.Time) *threadSeries {
	return seriesAt(a, p, p.threads, p.seriesThread(tid), threadSeries{start: a.start(since)})
}

func (a *addition) memory() {
	for _, sample := range a.snapshot.Memory {
		p := a.process(sample.Process)
		if p.memory == nil {
			p.memory = &memorySeries{start: a.start(a.at)}
		}
		p.memory.allocated = sample.Allocated
	}
}

func (a *addition) markExited() {
	for i := range a.snapshot.Calls {
		if sample := &a.snapshot.Calls[i]; sample.Final {
			a.process(sample.Process).markExited(sample.Task.Thread.TID)
		}
	}
	for i := range a.snapshot.OffCPU {
		if sample := &a.snapshot.OffCPU[i]; sample.Final {
			a.process(sample.Process).markExited(sample.Task.Thread.TID)
		}
	}
	for i := range a.snapshot.Ledger {
		if sample := &a.snapshot.Ledger[i]; sample.Final {
			a.process(sample.Process).markExited(sample.Task.Thread.TID)
		}
	}
}
