package verdict

import (
	"time"

	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/clock"
	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/collective"
	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/pairing"
	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/roster"
)

// Settings are what a Judge goes by.
type Settings struct {
	MinLag      time.Duration // what is shorter is no lag
	TTL         time.Duration // how long reports are waited for
	ClockWindow time.Duration // how long what is known of clocks is remembered
}

// Judge judges collectives. It is for one goroutine.
type Judge struct {
	settings Settings
	clocks   *clock.Book
	roster   *roster.Roster
	arrivals arrivals // scratch
}

// NewJudge returns a Judge that knows nothing of clocks and ranks.
func NewJudge(settings Settings) *Judge {
	return &Judge{
		settings: settings,
		clocks:   clock.NewBook(settings.ClockWindow),
		roster:   roster.New(),
		arrivals: arrivals{index: make(map[string]int32)},
	}
}

// Clocks returns what is known of clocks, for its counters.
func (j *Judge) Clocks() *clock.Book { return j.clocks }

// Forgotten returns how many communicators and clocks were forgotten for want of
// room.
func (j *Judge) Forgotten() uint64 { return j.clocks.Forgotten() + j.roster.Forgotten() }

// Note learns from a sound report how far its rank has come.
func (j *Judge) Note(report *collective.Report) { j.roster.Note(report) }

// Judge judges a collective, which is sorted, at now. The verdict refers to it.
func (j *Judge) Judge(c *collective.Collective, reason pairing.Reason, now time.Time) *Verdict {
	v := &Verdict{Collective: c, At: now}
	p := present(c)
	if c.Disagrees() {
		v.Result = result(reason, &p)
		v.Kind, v.Calls = Desynchronized, callsOf(c)
		v.Summary = disagreement(c, v.Calls)
		return v
	}
	j.arrivals.begin(c)
	j.observe(now)
	if reason == pairing.Complete && len(p.failed) == 0 {
		j.try(v, &p)
		return v
	}
	j.miss(v, reason, &p)
	return v
}

// observe learns from the collective about clocks.
func (j *Judge) observe(now time.Time) {
	if j.arrivals.Operation().Dependency() != collective.AllOnAll || len(j.arrivals.clocks) < 2 {
		return
	}
	if readings := j.arrivals.readings(); len(readings) > 1 {
		j.clocks.Observe(j.arrivals.Communicator, now, readings)
	}
}

// try looks for the straggler of a collective that every rank came to. Where nobody has
// seen it complete, and nobody was late for certain, that is what there is to say.
func (j *Judge) try(v *Verdict, p *presence) {
	hangs := p.pending && !p.ended
	t := trial{arrivals: &j.arrivals, minLag: j.settings.MinLag, roles: j.arrivals.roles()}
	if !t.arraign(j, v.At) {
		if v.Kind = OnTime; hangs {
			v.Kind = NotCompleted
		}
		return
	}
	v.Skew = t.skew()
	t.measure()
	s := t.sentence()
	v.Kind = s.kind
	if s.kind == Straggler || s.told {
		v.Late = t.late()
		v.Summary = v.Late.sentence()
	} else if hangs {
		v.Kind = NotCompleted
	}
}

// miss looks for missing ranks where not every rank has come.
func (j *Judge) miss(v *Verdict, reason pairing.Reason, p *presence) {
	v.Result = result(reason, p)
	switch reason {
	case pairing.Complete:
		if !p.ended && p.pending {
			v.Missing = collective.Ranges(p.failed)
		}
	case pairing.Expired:
		v.Missing = j.absent(v.Collective, p)
	case pairing.Evicted, pairing.Stopped:
	}
	if len(v.Missing) == 0 {
		return
	}
	v.Kind, v.Result = MissingRanks, Missing
	v.Summary = j.absence(v, p)
}

// result is how the pairing ended, unless ranks are missing.
func result(reason pairing.Reason, p *presence) Result {
	switch reason {
	case pairing.Complete:
		return Complete
	case pairing.Evicted:
		return Evicted
	case pairing.Stopped:
		return Stopped
	case pairing.Expired:
	}
	if p.sampled {
		return Incomplete
	}
	return Partial
}
