package verdict

import (
	"fmt"
	"slices"
	"time"

	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/collective"
	"github.com/gpucause/gpucause/internal/causality"
	"github.com/gpucause/gpucause/internal/event"
)

// explain tells why l was late: as its own host says, where it was slow for itself;
// otherwise by what it did more of than the median of the other ranks, if that
// covers half of the lag.
func (l *Late) explain(c *collective.Collective) {
	if own := l.Rank.Arrival; own != nil {
		l.Cause, l.Explained, l.Clause = own.Cause, own.Explained, own.Summary
		return
	}
	l.Cause = causality.CauseUnknown.String()
	grown, ok := excess(l.Rank, c)
	if !ok {
		l.Clause = "what it did meanwhile is not known"
		return
	}
	a := causality.AttributeExcess(&grown, l.Lag)
	l.Cause, l.Explained, l.Clause = a.Cause.String(), a.Explained, clause(&a, l.Lag)
}

// excess returns what a rank spent more time on than the median of the others, by
// state. It is false where the rank or all others do not report that.
func excess(of *collective.Rank, c *collective.Collective) (event.Ledger, bool) {
	var grown event.Ledger
	if !of.Is(collective.HasLedger) {
		return grown, false
	}
	values := make([]float32, 0, len(c.Ranks))
	for state := range of.Ledger {
		values = values[:0]
		for i := range c.Ranks {
			if r := &c.Ranks[i]; r != of && r.Is(collective.HasLedger) {
				values = append(values, r.Ledger[state])
			}
		}
		if len(values) == 0 {
			return grown, false
		}
		if mine := of.Ledger[state]; mine > 0 {
			grown[state] = duration(mine - median(values))
		}
	}
	return grown, true
}

// median returns the upper median of values, which it reorders.
func median(values []float32) float32 {
	slices.Sort(values)
	return values[len(values)/2]
}

func duration(seconds float32) time.Duration {
	return max(0, time.Duration(float64(seconds)*float64(time.Second)))
}

// doing says what a rank did in a state of the ledger.
var doing = map[event.LedgerState]string{
	event.LedgerRunning:      "running host code",
	event.LedgerLaunch:       "launching",
	event.LedgerMemcpy:       "copying",
	event.LedgerMemory:       "managing GPU memory",
	event.LedgerModuleLoad:   "loading GPU code",
	event.LedgerCollective:   "in calls of collectives",
	event.LedgerOtherCall:    "in other CUDA calls",
	event.LedgerSyncSpin:     "waiting for the GPU",
	event.LedgerGPUWait:      "waiting for the GPU",
	event.LedgerLock:         "blocked on a lock",
	event.LedgerIO:           "blocked on storage I/O",
	event.LedgerInputWait:    "waiting for input",
	event.LedgerSleep:        "asleep on purpose",
	event.LedgerPageFault:    "blocked in page faults",
	event.LedgerDriver:       "blocked in the driver",
	event.LedgerBlockedOther: "blocked in system calls",
	event.LedgerRunnable:     "ready to run but without a CPU",
}

func clause(a *causality.Attribution, lag time.Duration) string {
	amount := causality.Shown(min(a.Time, lag))
	what := doing[a.State]
	if a.Cause != causality.CauseUnknown {
		return fmt.Sprintf("%s for %s more than the other ranks", what, amount)
	}
	if a.Time == 0 {
		return "no cause explains half of it"
	}
	return fmt.Sprintf("no cause explains half of it; what it did most more of than the other ranks is %s, by %s", what, amount)
}
