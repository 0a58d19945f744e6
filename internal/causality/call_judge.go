package causality

import (
	"container/list"
	"time"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/timeline"
)

const (
	// earlyCalls is how many calls of a function in a process are worth a trace in
	// any case: nothing is known yet to compare them with.
	earlyCalls = 3
	// functionsPerThread is how many functions are remembered per thread of
	// JudgeSettings.MaxThreads, all threads together.
	functionsPerThread = 4
)

// CallJudge compares the outermost calls outside of dispatch cycles with those
// before, of the same function and thread. It is shown notable ones only, so that
// what is typical to it is typical of notable calls. It is for one goroutine, and
// deterministic.
type CallJudge struct {
	settings JudgeSettings
	max      int
	known    map[caller]*list.Element // whose values are *callHistory
	used     *list.List               // of them, the latest used first
	evicted  uint64
}

// NewCallJudge returns a CallJudge that knows no call. Of settings it has no use
// for Explain, and of a Window only for as many durations as a callHistory has.
func NewCallJudge(settings JudgeSettings) *CallJudge {
	settings = settings.withDefaults()
	settings.WarmUp = min(settings.WarmUp, callWindow)
	return &CallJudge{
		settings: settings,
		max:      functionsPerThread * settings.MaxThreads,
		known:    make(map[caller]*list.Element),
		used:     list.New(),
	}
}

// Judge tells why the outermost call of tree is worth a trace, if it is, and
// remembers it. The calls of one thread come in order, but for orphans.
//
// Until a thread has made WarmUp notable calls of the function, nothing is slow
// for it. The call is a KindSample then where it is among the first of its
// function in the process, or exceeds all that the process made lately. A first
// launch is compared with nothing.
func (j *CallJudge) Judge(tree *timeline.Tree) Kind {
	call := tree.Root.Call
	c := caller{process: tree.Process, tid: call.Task.Thread.TID, probe: call.Probe}
	own, all := j.history(c), j.history(c.anyThread())
	own.begin(call)
	kind := j.kind(call, own, all)
	for _, h := range []*callHistory{own, all} {
		if !failed(call) && !firstLaunch(call) {
			h.add(call)
		}
		if kind != KindNone {
			h.shown = call.End
		}
	}
	return kind
}

// kind judges a call by those of its thread, and by all of its process.
func (j *CallJudge) kind(call *event.Call, own, all *callHistory) Kind {
	warm := len(own.ring) >= j.settings.WarmUp
	switch {
	case (warm || firstLaunch(call)) && j.exceeds(call, own.median()):
		return KindStall
	case failed(call):
		return KindFailed
	case firstLaunch(call):
		return KindSample
	case !warm && (len(all.ring) < earlyCalls || j.exceeds(call, all.longest())):
		return KindSample
	case warm && j.due(call, own) || !warm && j.due(call, all):
		return KindBaseline
	case j.settings.Mode == ModeAll:
		return KindSample
	default:
		return KindNone
	}
}

// exceeds reports whether a call took so much longer than usual that it matters.
func (j *CallJudge) exceeds(call *event.Call, usual time.Duration) bool {
	took := call.End.Sub(call.Start)
	if firstLaunch(call) {
		usual = 0 // launches after it load nothing
	}
	return took > j.settings.MinDuration && float64(took) > j.settings.Ratio*float64(usual)
}

func (j *CallJudge) due(call *event.Call, h *callHistory) bool {
	return j.settings.Baseline > 0 && (h.shown == 0 || call.End.Sub(h.shown) >= j.settings.Baseline)
}

func failed(call *event.Call) bool {
	return call.Notable&(event.NotableFailed|event.NotableAbandoned) != 0
}

func firstLaunch(call *event.Call) bool { return call.Notable&event.NotableFirstLaunch != 0 }

// history returns what is remembered of a caller. When there is no room, the one
// that has not called for longest is forgotten.
func (j *CallJudge) history(c caller) *callHistory {
	if element, ok := j.known[c]; ok {
		j.used.MoveToFront(element)
		return element.Value.(*callHistory)
	}
	if j.used.Len() >= j.max {
		j.forget(j.used.Back())
		j.evicted++
	}
	h := &callHistory{of: c}
	j.known[c] = j.used.PushFront(h)
	return h
}

func (j *CallJudge) forget(element *list.Element) {
	delete(j.known, element.Value.(*callHistory).of)
	j.used.Remove(element)
}

// Forget forgets the calls of a process that is gone.
func (j *CallJudge) Forget(pid event.PID) {
	for c, element := range j.known {
		if c.process.PID == pid {
			j.forget(element)
		}
	}
}

// Callers returns how many histories are remembered: of a function on a thread,
// and of one in a process.
func (j *CallJudge) Callers() int { return len(j.known) }

// Evicted returns how many of them were forgotten for want of room.
func (j *CallJudge) Evicted() uint64 { return j.evicted }
