package measurement

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/gpucause/gpucause/internal/event"
)

// Collective is an operation of NCCL that is over.
type Collective struct {
	Process      event.ProcessID
	Operation    string // value of nccl.operation
	Communicator string // value of nccl.communicator, "" if not known
	Rank         int    // negative if not known
	Duration     time.Duration
	Completed    bool          // Duration holds
	Wait         time.Duration // of the host
	Waited       bool          // Wait holds
	Size         uint64        // bytes
}

// collectiveKey names a series of operations. An empty operation is the overflow series.
type collectiveKey struct {
	operation    string
	communicator string
	rank         int
}

func compareCollectives(a, b collectiveKey) int {
	return cmp.Or(cmp.Compare(a.operation, b.operation), cmp.Compare(a.communicator, b.communicator), cmp.Compare(a.rank, b.rank))
}

type collectiveSeries struct {
	start     pcommon.Timestamp
	durations histogram
	waits     histogram
	bytes     uint64
}

func (s *collectiveSeries) merge(more *collectiveSeries) {
	s.durations.merge(&more.durations)
	s.waits.merge(&more.waits)
	s.bytes += more.bytes
}

// toldCollective is a series of operations since the latest Add. The zero value
// is of those for which there was no room.
type toldCollective struct {
	process event.ProcessID
	collectiveKey
}

// AddCollective counts an operation, whether or not it becomes a span, as of the
// next [Aggregator.Add].
func (a *Aggregator) AddCollective(c *Collective) {
	key := toldCollective{c.Process, collectiveKey{c.Operation, c.Communicator, c.Rank}}
	s := a.operations[key]
	if s == nil && len(a.operations) >= a.settings.MaxSeries {
		key = toldCollective{}
		s = a.operations[key]
		a.overflowed++
	}
	if s == nil {
		s = &collectiveSeries{}
		a.operations[key] = s
	}
	if c.Completed {
		s.durations.observe(c.Duration)
	}
	if c.Waited {
		s.waits.observe(c.Wait)
	}
	s.bytes += c.Size
}

func (a *addition) collectives() {
	for _, told := range slices.SortedFunc(maps.Keys(a.operations), compareTold) {
		p := a.process(told.process)
		seriesAt(a, p, p.collectives, told.collectiveKey, collectiveSeries{start: a.start(a.at)}).merge(a.operations[told])
	}
	clear(a.operations)
}

// compareTold puts series in an order that depends on nothing else, because the
// first ones get what room there is.
func compareTold(a, b toldCollective) int {
	return cmp.Or(compareProcesses(a.process, b.process), compareCollectives(a.collectiveKey, b.collectiveKey))
}

func (w *writer) writeCollectives(key collectiveKey, s *collectiveSeries) {
	at := period{s.start, w.end}
	if s.durations.count > 0 {
		point := w.histogram(collectiveDuration, at)
		s.durations.copyTo(point)
		putCollective(point.Attributes(), key)
	}
	if s.waits.count > 0 {
		point := w.histogram(collectiveWait, at)
		s.waits.copyTo(point)
		putCollective(point.Attributes(), key)
	}
	if s.bytes > 0 {
		putCollective(intPoint(&w.scope, collectiveSize, at, s.bytes), key)
	}
}

func putCollective(attributes pcommon.Map, key collectiveKey) {
	if key.operation == "" {
		attributes.PutBool(keyOverflow, true)
		return
	}
	attributes.PutStr(keyOperation, key.operation)
	if key.communicator != "" {
		attributes.PutStr(keyCommunicator, key.communicator)
	}
	if key.rank >= 0 {
		attributes.PutInt(keyRank, int64(key.rank))
	}
}
