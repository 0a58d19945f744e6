package measurement

import (
	"cmp"
	"maps"

	"github.com/gpucause/gpucause/internal/event"
)

// dispatcher is a thread that has launched GPU work. Its name is fixed when it
// becomes one, because a new name would be a new series.
type dispatcher struct {
	name   string
	exited bool
}

// process holds the series of one process.
type process struct {
	calls       map[callKey]*callSeries
	errors      map[errorKey]*errorSeries
	threads     map[event.TID]*threadSeries
	dispatch    map[event.TID]*dispatchSeries
	stalls      map[stallKey]*stallSeries
	collectives map[collectiveKey]*collectiveSeries
	dispatchers map[event.TID]*dispatcher
	memory      *memorySeries
	ended       bool
}

func newProcess() *process {
	return &process{
		calls:       make(map[callKey]*callSeries),
		errors:      make(map[errorKey]*errorSeries),
		threads:     make(map[event.TID]*threadSeries),
		dispatch:    make(map[event.TID]*dispatchSeries),
		stalls:      make(map[stallKey]*stallSeries),
		collectives: make(map[collectiveKey]*collectiveSeries),
		dispatchers: make(map[event.TID]*dispatcher),
	}
}

// seriesThread returns the thread under whose series an increment of tid
// counts: itself for a dispatcher, otherwise 0.
func (p *process) seriesThread(tid event.TID) event.TID {
	if _, ok := p.dispatchers[tid]; ok {
		return tid
	}
	return 0
}

// size returns the number of series that count towards the limits.
func (p *process) size() int {
	return len(p.calls) + len(p.errors) + len(p.threads) + len(p.dispatch) + len(p.stalls) + len(p.collectives)
}

// promote makes task a dispatcher.
func (p *process) promote(task event.Task) {
	if _, ok := p.dispatchers[task.Thread.TID]; !ok {
		p.dispatchers[task.Thread.TID] = &dispatcher{name: task.Comm.String()}
	}
}

func (p *process) markExited(tid event.TID) {
	if d, ok := p.dispatchers[tid]; ok {
		d.exited = true
	}
}

// forgetExited drops the series of the dispatchers that have exited.
func (p *process) forgetExited() {
	for tid, d := range p.dispatchers {
		if !d.exited {
			continue
		}
		delete(p.dispatchers, tid)
		delete(p.threads, tid)
		delete(p.dispatch, tid)
		maps.DeleteFunc(p.calls, func(key callKey, _ *callSeries) bool { return key.thread == tid })
		maps.DeleteFunc(p.stalls, func(key stallKey, _ *stallSeries) bool { return key.thread == tid })
	}
}

func compareProcesses(a, b event.ProcessID) int {
	return cmp.Or(cmp.Compare(a.PID, b.PID), cmp.Compare(a.Start, b.Start))
}
