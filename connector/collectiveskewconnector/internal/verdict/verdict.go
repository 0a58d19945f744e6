package verdict

import (
	"time"

	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/collective"
)

// Result is how the pairing of a collective ended.
type Result uint8

// Results.
const (
	Complete   Result = iota // every rank reported
	Incomplete               // reports are missing, of a collective that every traced rank reports
	Partial                  // only those reported for whom it was slow
	Missing                  // ranks are missing
	Evicted                  // there was no room to wait for the others
	Stopped                  // the connector was shut down
	Results                  // how many there are
)

var resultNames = [Results]string{
	Complete: "complete", Incomplete: "incomplete", Partial: "partial",
	Missing: "missing", Evicted: "evicted", Stopped: "stopped",
}

// String returns the result's name.
func (r Result) String() string { return resultNames[min(r, Results-1)] }

// Kind is what is found of a collective.
type Kind uint8

// Kinds.
const (
	Unjudged       Kind = iota // not every rank reported, and nothing follows from those that did
	OnTime                     // nobody was late
	Harmless                   // somebody was late, and nobody waited for it
	Unproven                   // somebody was late, and nobody reports whether it waited
	Uncertain                  // it cannot be told from the clock error, from the durations of calls, or from bounds, whether somebody was late
	ClockUnknown               // nothing is known of the offsets of the clocks
	NotCompleted               // every rank came, and none has seen it complete
	Straggler                  // somebody was late
	Desynchronized             // ranks did not ask for the same
	MissingRanks               // ranks did not come
	Kinds                      // how many there are
)

var kindNames = [Kinds]string{
	Unjudged: "unjudged", OnTime: "on_time", Harmless: "harmless", Unproven: "unproven", Uncertain: "uncertain",
	ClockUnknown: "clock_unknown", NotCompleted: "not_completed", Straggler: "straggler", Desynchronized: "desynchronized", MissingRanks: "missing_ranks",
}

// String returns the kind's name.
func (k Kind) String() string { return kindNames[min(k, Kinds-1)] }

// Quality is how sure the figures of a straggler are.
type Quality uint8

// Qualities.
const (
	Bounded     Quality = iota // true within LagError
	LowerBound                 // an enqueue may have been later than it says
	WithinError                // it may not have been late; not asserted
	Qualities                  // how many there are
)

var qualityNames = [Qualities]string{
	Bounded: "bounded", LowerBound: "lower_bound", WithinError: "within_error",
}

// String returns the value of nccl.straggler.quality.
func (q Quality) String() string { return qualityNames[min(q, Qualities-1)] }

// Skew is the time from the earliest to the latest enqueue, by the returns of the
// calls, give or take Error.
type Skew struct {
	Time, Error time.Duration
	Known       bool // not where nothing is known of a clock
}

// Late is a rank that others had to wait for.
type Late struct {
	Rank  *collective.Rank
	After *collective.Rank // the one that it is compared with
	// Lag is how much later than After it enqueued, by the returns of their calls,
	// give or take LagError: ClockError, which is 0 on one clock, and the duration of
	// the longer call. LagError is 0 where these do not bound it.
	Lag, LagError time.Duration

	Quality     Quality
	ClockError  time.Duration
	ClockOffset time.Duration // how much more its clock reads than that of After

	Waiters    int           // ranks that provably waited for it for the least lag
	Wait       time.Duration // the longest of that, at least
	WaitsKnown bool          // somebody reported whether it waited

	Cause     string // a value of stall.cause
	Explained float64
	Clause    string // what it was late by
}

// Verdict is what is found of one collective.
type Verdict struct {
	Kind       Kind
	Result     Result
	Collective *collective.Collective
	At         time.Time // when it was found

	Skew    Skew               // of a complete collective
	Late    *Late              // of a straggler, and of an uncertain one that is worth telling
	Missing []collective.Range // ranks that did not come
	Calls   []string           // of a desynchronized one, which ranks asked for what

	Summary string // one sentence; "" where there is nothing to say
}
