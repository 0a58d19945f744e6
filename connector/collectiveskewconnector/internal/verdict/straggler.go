package verdict

import (
	"time"

	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/collective"
)

// trial looks for the straggler of a complete collective.
type trial struct {
	*arrivals
	minLag time.Duration
	roles  roles

	suspect int // index of the rank that came last, of those that can be late; -1: none
	// The rank that the suspect is compared with: the one behind which it provably
	// lags most, or, where it provably lags behind none, seems to.
	after   int // -1: none
	lag     interval
	longest time.Duration // the most that it may lag behind anybody
	unknown bool          // some clocks cannot be compared
	before  bool          // somebody was done before the suspect came

	harm harm
}

// interval is what a time may be.
type interval struct{ low, middle, high time.Duration }

// harm is who waited for the suspect.
type harm struct {
	known   bool          // some rank that could have waited reported whether it did
	proven  int           // ranks that provably waited for at least the least lag
	longest time.Duration // of what is proven
	likely  time.Duration // the longest wait by the middle of the clocks' bounds
}

// arraign finds the suspect.
func (t *trial) arraign(j *Judge, now time.Time) bool {
	t.suspect = -1
	for i := range t.Ranks {
		if t.roles.late(&t.Ranks[i], t.root()) && (t.suspect < 0 || t.Ranks[i].Enqueue > t.Ranks[t.suspect].Enqueue) {
			t.suspect = i
		}
	}
	if t.suspect < 0 {
		return false
	}
	t.compare(j.clocks, t.suspect, now)
	if last := t.last(); t.of[last] != t.of[t.suspect] {
		t.suspect = last
		t.compare(j.clocks, t.suspect, now)
	}
	return true
}

// last returns the rank that came last as far as can be told.
func (t *trial) last() int {
	last := t.suspect
	for i := range t.Ranks {
		if t.offset(i).Known && t.roles.late(&t.Ranks[i], t.root()) && t.arrival(i) > t.arrival(last) {
			last = i
		}
	}
	return last
}

// measure finds out how late the suspect was for those who may have waited for it,
// and whether they did.
func (t *trial) measure() {
	t.after = -1
	best := interval{}
	for i := range t.Ranks {
		if i == t.suspect || !t.roles.waits(&t.Ranks[i], t.root()) {
			continue
		}
		if !t.offset(i).Known {
			t.unknown = true
			continue
		}
		lag := t.lagBehind(i)
		t.longest = max(t.longest, lag.high)
		if t.after < 0 || t.worse(lag, best) {
			t.after, best = i, lag
		}
		t.hear(i)
	}
	t.lag = best
}

// worse reports whether lag says more than best.
func (t *trial) worse(lag, best interval) bool {
	if lag.low >= t.minLag || best.low >= t.minLag {
		return lag.low > best.low
	}
	return lag.middle > best.middle
}

// lagBehind returns how much later than rank i the suspect enqueued.
func (t *trial) lagBehind(i int) interval {
	apart, o := t.Ranks[t.suspect].Enqueue.Sub(t.Ranks[i].Enqueue), t.offset(i)
	return interval{apart + o.Low, apart + o.Middle(), apart + o.High}
}

// hear takes the evidence of a rank that may have waited.
func (t *trial) hear(i int) {
	rank, suspect := &t.Ranks[i], &t.Ranks[t.suspect]
	if rank.Completed != 0 && rank.Completed < suspect.Enqueue.Add(t.offset(i).Low) {
		t.before = true
	}
	if !rank.Is(collective.HasWait) {
		return
	}
	t.harm.known = true
	likely := suspect.Enqueue.Add(t.offset(i).Middle())
	if t.buffered() {
		if rank.WaitStart.Add(rank.Wait) >= likely {
			t.harm.likely = max(t.harm.likely, rank.Blocked(likely))
		}
		return
	}
	t.harm.likely = max(t.harm.likely, rank.Blocked(likely))
	wait := rank.Blocked(suspect.Enqueue.Add(t.offset(i).Low))
	t.harm.longest = max(t.harm.longest, wait)
	if wait >= t.minLag {
		t.harm.proven++
	}
}

// buffered reports whether the other could have gone on without the suspect: a
// sender may be done before its receiver comes. That it waited is then likely at
// best, and only where it was not done by then.
func (t *trial) buffered() bool {
	return t.Calls[t.Ranks[t.suspect].Call].Operation == collective.Recv
}

// sentence is the outcome of a trial.
type sentence struct {
	kind Kind
	told bool // worth telling though it is not asserted
}

// sentence decides whether the suspect was late.
func (t *trial) sentence() sentence {
	switch {
	case t.after < 0 || t.longest < t.minLag:
		return sentence{kind: t.innocent()}
	case t.before:
		return sentence{kind: t.pointless()}
	case t.lag.low < t.minLag:
		likely := t.lag.middle >= t.minLag && t.harm.likely >= t.minLag
		return sentence{kind: Uncertain, told: likely}
	default:
		return sentence{kind: t.guilt()}
	}
}

// guilt decides about a suspect that was late: it is a straggler if that did harm,
// provably or, where nothing can be proven, likely.
func (t *trial) guilt() Kind {
	switch {
	case t.harm.proven > 0:
		return Straggler
	case t.lowerBound():
		return Uncertain
	case !t.harm.known:
		return Unproven
	case t.harm.likely < t.minLag:
		return Harmless
	case t.buffered():
		return Straggler
	default:
		return Uncertain
	}
}

// pointless is the kind where somebody was done before the suspect came: a sender
// may be; others cannot, so that what is reported contradicts itself.
func (t *trial) pointless() Kind {
	if t.buffered() {
		return Harmless
	}
	return Uncertain
}

// innocent is the kind where the suspect was not late.
func (t *trial) innocent() Kind {
	if t.unknown {
		return ClockUnknown
	}
	return OnTime
}

// lowerBound reports whether the lag rests on an enqueue that may have been later.
func (t *trial) lowerBound() bool {
	return t.Ranks[t.suspect].Is(collective.LowerBound) || t.Ranks[t.after].Is(collective.LowerBound)
}

func (t *trial) quality() Quality {
	switch {
	case t.lag.low < t.minLag:
		return WithinClockError
	case t.lowerBound():
		return LowerBound
	case t.of[t.suspect] != t.of[t.after]:
		return Bounded
	default:
		return Exact
	}
}

// late describes the suspect.
func (t *trial) late() *Late {
	suspect := &t.Ranks[t.suspect]
	offset := t.offset(t.after)
	late := &Late{
		Rank:       suspect,
		After:      &t.Ranks[t.after],
		Lag:        t.lag.middle,
		Quality:    t.quality(),
		Waiters:    t.harm.proven,
		Wait:       t.harm.longest,
		WaitsKnown: t.harm.known && !t.buffered(),
	}
	if t.of[t.suspect] != t.of[t.after] {
		late.ClockError, late.ClockOffset = offset.Error(), -offset.Middle()
	}
	late.explain(t.Collective)
	return late
}
