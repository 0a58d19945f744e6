package causality

import (
	"cmp"
	"time"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
	"github.com/gpucause/gpucause/internal/timeline"
)

// Mode says which cycles are worth a trace.
type Mode uint8

// Modes.
const (
	ModeStalls Mode = iota // slow and failing ones, and the periodic baseline
	ModeAll                // every recorded one
)

// JudgeSettings says when a cycle is worth a trace. A zero field takes its default.
type JudgeSettings struct {
	// MinDuration is what a stall lasts at least. Default 10 ms.
	MinDuration time.Duration
	// Ratio is how many times as long as typical a stall lasts at least. Default 1.5.
	Ratio float64
	// Window is how many recorded cycles of a thread are remembered. Default 64.
	Window int
	// WarmUp is how many of them there must be before a cycle is judged, unless
	// records are the exception among the thread's cycles. Default 8.
	WarmUp int
	// Idle is the time from one idle cycle of a thread that is told to the next.
	// Default 60 s; negative is none.
	Idle time.Duration
	// Baseline is the time from one periodic sample of a thread to the next; the
	// first follows the warm-up. Default 60 s; negative is never.
	Baseline time.Duration
	Mode     Mode
	// MaxThreads is how many threads are remembered. Default 1024, about 10 MB.
	MaxThreads int
	// Explain has the Symbol by which reasons are refined.
	Explain Settings
}

func (s JudgeSettings) withDefaults() JudgeSettings {
	setDefault(&s.MinDuration, 10*time.Millisecond)
	setDefault(&s.Ratio, 1.5)
	setDefault(&s.Window, 64)
	setDefault(&s.WarmUp, 8)
	setDefaultInterval(&s.Baseline)
	setDefaultInterval(&s.Idle)
	setDefault(&s.MaxThreads, 1024)
	s.Explain = s.Explain.withDefaults()
	return s
}

// setDefaultInterval leaves a negative one: never.
func setDefaultInterval(field *time.Duration) {
	if *field == 0 {
		*field = time.Minute
	}
}

func setDefault[T ~int | ~int64 | ~float64](field *T, value T) {
	if *field <= 0 {
		*field = value
	}
}

// Kind says why a cycle is worth a trace (docs/telemetry.md, stall.kind).
type Kind uint8

// Kinds, the most important last.
const (
	KindNone     Kind = iota // it is not
	KindSample               // because every cycle is
	KindBaseline             // the periodic sample, to compare stalls with
	KindIdle                 // slow for its thread, because nothing came from outside: told now and then
	KindFailed               // a call in it failed
	KindStall                // slow for its thread
	kinds                    // how many there are
)

var kindNames = [kinds]string{
	KindNone:     "none",
	KindSample:   "sample",
	KindBaseline: "baseline",
	KindIdle:     "idle",
	KindFailed:   "failed",
	KindStall:    "stall",
}

// String returns the value of the attribute stall.kind.
func (k Kind) String() string {
	if k >= kinds {
		return kindNames[KindNone]
	}
	return kindNames[k]
}

// Verdict is what there is to say of a cycle by its own records, and by what those who
// ended its waits waited for.
type Verdict struct {
	Kind Kind
	// Attribution is the cause, where Kind is KindStall or KindIdle; otherwise its Cause is CauseNone.
	Attribution
	Typical       time.Duration // of the thread's cycles with about as many launches; 0 in the warm-up
	TypicalLedger event.Ledger  // of KindStall and KindIdle: the median of each state, refined as Ledger is
	Ledger        event.Ledger  // of the cycle, refined by evidence; sums to its length
}

// Excess is how much longer than typical the cycle took; 0 in the warm-up.
func (v *Verdict) Excess() time.Duration {
	if v.Typical == 0 {
		return 0
	}
	return max(0, v.Ledger.Total()-v.Typical)
}

// Judge compares the cycles of every thread with those before. It is for one
// goroutine, and deterministic.
type Judge struct {
	settings  JudgeSettings
	baselines map[judged]*baseline
	evicted   uint64
}

// judged names a thread beyond the reuse of its process's number, and what of its
// time is compared: dispatch cycles, or arrivals on a communicator.
type judged struct {
	process      event.ProcessID
	tid          event.TID
	communicator event.Serial // 0: dispatch cycles
}

// NewJudge returns a Judge that knows no thread.
func NewJudge(settings JudgeSettings) *Judge {
	return &Judge{settings: settings.withDefaults(), baselines: make(map[judged]*baseline)}
}

// Judge tells what a cycle is by those of its thread before, and remembers it.
// The cycles of one thread come in order. tl has what wakers did; it must have
// advanced past the cycle's settling, which holds while it is being emitted. Nil
// knows of no wakers.
func (j *Judge) Judge(tl *timeline.Timeline, c *timeline.Cycle) Verdict {
	return j.judge(tl, judged{process: c.Process, tid: c.Thread().TID}, c)
}

func (j *Judge) judge(tl *timeline.Timeline, key judged, c *timeline.Cycle) Verdict {
	b := j.baseline(key)
	if c.Record.ID <= b.id { // its numbers begin again: the next thread with this TID
		*b = baseline{}
	}
	refined := refineCycle(tl, c, j.settings.Explain)
	s := sample{duration: c.Record.End.Sub(c.Record.Start), ledger: refined.ledger, launches: c.Record.Launches, copied: c.Record.CopiedBytes}
	s.shorts, s.short = b.between(&c.Record)
	v := Verdict{Ledger: refined.ledger}
	if b.warm(&s, &j.settings) {
		j.compare(&v, &s, b.against(&s, (j.settings.WarmUp+1)/2), refined)
	}
	if v.Kind == KindIdle && !j.tellsIdle(b, c) {
		v = Verdict{Ledger: v.Ledger, Typical: v.Typical}
	}
	if v.Kind == KindNone {
		v.Kind = j.kind(b, c)
	}
	b.add(s, j.settings.Window)
	b.seen, b.id = c.Record.End, c.Record.ID
	return v
}

// compare finds out whether s is slow for its thread, and why.
func (j *Judge) compare(v *Verdict, s *sample, with *medians, refined *refiner) {
	v.Typical = with.duration()
	if !j.slow(s.duration, v.Typical) {
		return
	}
	usual := with.typical()
	v.Kind, v.TypicalLedger = KindStall, usual.ledger
	v.Attribution = explainExcess(s, &usual, refined)
	if v.Cause == CauseInputWait && 2*refined.idle > s.duration-usual.duration {
		v.Kind = KindIdle
	}
}

// tellsIdle reports whether an idle cycle is worth a trace: a thread without work
// is as it should be, but that one never has any is worth knowing.
func (j *Judge) tellsIdle(b *baseline, c *timeline.Cycle) bool {
	if c.Record.Failed > 0 {
		return false
	}
	if j.settings.Mode != ModeAll && (j.settings.Idle < 0 || b.idle != 0 && c.Record.End.Sub(b.idle) < j.settings.Idle) {
		return false
	}
	b.idle = c.Record.End
	return true
}

func (j *Judge) slow(took, usual time.Duration) bool {
	return took > j.settings.MinDuration && float64(took) > j.settings.Ratio*float64(usual)
}

// kind is the kind of a cycle that is not slow.
func (j *Judge) kind(b *baseline, c *timeline.Cycle) Kind {
	switch {
	case c.Record.Failed > 0:
		return KindFailed
	case j.due(b, c.Record.End):
		b.shown = c.Record.End
		return KindBaseline
	case j.settings.Mode == ModeAll:
		return KindSample
	default:
		return KindNone
	}
}

func (j *Judge) due(b *baseline, at ktime.Time) bool {
	return j.settings.Baseline > 0 && len(b.ring) >= j.settings.WarmUp &&
		(b.shown == 0 || at.Sub(b.shown) >= j.settings.Baseline)
}

// fullQueue is how many launches a cycle has at least when the queue of a GPU
// stream may be full: CUDA's takes about a thousand operations, of which some are
// no launches.
const fullQueue = 512

func explainExcess(s *sample, usual *typical, refined *refiner) Attribution {
	var grown event.Ledger
	for state := range grown {
		grown[state] = s.ledger[state] - usual.ledger[state]
	}
	causes := stateCauses
	if queueFull(s, usual, refined, grown[event.LedgerLaunch]) {
		causes[event.LedgerLaunch] = CauseLaunchQueueFull
	}
	if largeCopy(s, usual, refined, grown[event.LedgerGPUWait]) {
		causes[event.LedgerGPUWait] = CauseMemcpy
	}
	return attribute(&grown, s.duration-usual.duration, &causes)
}

// queueFull reports whether there is evidence that launches had to wait for room
// in a queue: enough of them to fill it, they took longer than usual, and the GPU
// had a full queue of work left afterwards. Where the host launches slowly for
// another reason the GPU catches up, and is not waited for.
func queueFull(s *sample, usual *typical, refined *refiner, excess time.Duration) bool {
	const leastWait = 16 // one in so many of the excess
	left := waitedForGPU(&s.ledger)
	return s.launches >= fullQueue && (2*refined.slowLaunches >= excess || slowerLaunches(s, usual)) &&
		left >= excess/leastWait && 2*left >= waitedForGPU(&usual.ledger)
}

func waitedForGPU(l *event.Ledger) time.Duration {
	return l[event.LedgerGPUWait] + l[event.LedgerSyncSpin] + l[event.LedgerCollectiveWait]
}

// A copy is large from so many bytes on, and at so many times the usual.
const (
	largeCopyBytes = 1 << 20
	largeCopyTimes = 4
)

// largeCopy reports whether there is evidence that the GPU was waited for because
// of the bytes copied: most of the wait was in copies, and they were far larger
// than usual. A copy of the usual size that takes long waits for earlier work.
func largeCopy(s *sample, usual *typical, refined *refiner, excess time.Duration) bool {
	return 2*refined.copyWaits >= excess && s.copied >= largeCopyBytes && s.copied/largeCopyTimes >= usual.copied
}

// slowerLaunches reports whether a launch took twice its usual time on average:
// then it is not their number alone.
func slowerLaunches(s *sample, usual *typical) bool {
	if s.launches == 0 || usual.launches == 0 {
		return false
	}
	now := float64(s.ledger[event.LedgerLaunch]) / float64(s.launches)
	before := float64(usual.ledger[event.LedgerLaunch]) / float64(usual.launches)
	return now >= 2*before
}

// baseline returns the memory of a thread. When there is no room, the thread
// whose latest cycle is the oldest is forgotten.
func (j *Judge) baseline(key judged) *baseline {
	if b := j.baselines[key]; b != nil {
		return b
	}
	if len(j.baselines) >= j.settings.MaxThreads {
		j.forgetOldest()
	}
	b := &baseline{}
	j.baselines[key] = b
	return b
}

func (j *Judge) forgetOldest() {
	var oldest judged
	found := false
	for key, b := range j.baselines {
		if !found || b.older(key, j.baselines[oldest], oldest) {
			oldest, found = key, true
		}
	}
	delete(j.baselines, oldest)
	j.evicted++
}

// older orders by the latest cycle; the thread makes the order total.
func (b *baseline) older(key judged, other *baseline, otherKey judged) bool {
	if b.seen != other.seen {
		return b.seen < other.seen
	}
	return cmp.Or(
		cmp.Compare(key.process.PID, otherKey.process.PID),
		cmp.Compare(key.tid, otherKey.tid),
		cmp.Compare(key.communicator, otherKey.communicator),
	) < 0
}

// Forget forgets the threads of a process that is gone.
func (j *Judge) Forget(pid event.PID) {
	for key := range j.baselines {
		if key.process.PID == pid {
			delete(j.baselines, key)
		}
	}
}

// Threads returns how many threads are remembered.
func (j *Judge) Threads() int { return len(j.baselines) }
