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
	before  bool          // somebody was certainly done before the suspect came

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

// unbounded is longer than any lag of times that belong together.
const unbounded = 1000 * time.Hour

// lagBehind returns how much later than rank i the suspect enqueued. The middle is
// by the returns of the calls; either may have enqueued as early as its call began.
func (t *trial) lagBehind(i int) interval {
	suspect, rank, o := &t.Ranks[t.suspect], &t.Ranks[i], t.offset(i)
	apart := suspect.Enqueue.Sub(rank.Enqueue)
	lag := interval{-unbounded, apart + o.Middle(), unbounded}
	if uncertainty, bounded := suspect.Uncertainty(); bounded {
		lag.low = apart - uncertainty + o.Low
	}
	if uncertainty, bounded := rank.Uncertainty(); bounded {
		lag.high = apart + uncertainty + o.High
	}
	return lag
}

// hear takes the evidence of a rank that may have waited.
func (t *trial) hear(i int) {
	rank, suspect := &t.Ranks[i], &t.Ranks[t.suspect]
	certain := suspect.NotBefore.Add(t.offset(i).Low)
	if rank.Completed != 0 && rank.Completed < certain {
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
	wait := rank.Blocked(certain)
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
		return WithinError
	case t.lowerBound():
		return LowerBound
	default:
		return Bounded
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
	if uncertainty, known := t.uncertainty(); known {
		late.LagError = late.ClockError + uncertainty
	}
	late.explain(t.Collective)
	return late
}

// uncertainty is how far the lag may be off because of when in their calls the two
// ranks enqueued. It is not known where a call did not bound that.
func (t *trial) uncertainty() (d time.Duration, known bool) {
	suspect, bounded := t.Ranks[t.suspect].Uncertainty()
	after, alsoBounded := t.Ranks[t.after].Uncertainty()
	return max(suspect, after), bounded && alsoBounded && !t.lowerBound()
}
