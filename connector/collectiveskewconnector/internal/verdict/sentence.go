package verdict

import (
	"fmt"
	"strings"

	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/collective"
	"github.com/gpucause/gpucause/internal/causality"
)

// sentence tells who was late, by how much, why, and who waited.
func (l *Late) sentence() string {
	text := name(l.Rank) + l.arrived() + fmt.Sprintf(" after rank %d", l.After.Number)
	if l.Clause != "" {
		text += ": " + l.Clause
	}
	return text + "; " + l.harm()
}

// negligible is the part of a lag that is not worth telling as its error.
const negligible = 100

func (l *Late) arrived() string {
	lag := causality.Shown(l.Lag)
	if off := max(l.LagError, l.ClockError); l.ClockError > 0 || off > l.Lag/negligible {
		lag += " (give or take " + causality.Shown(off) + ")"
	}
	switch l.Quality {
	case WithinError:
		return " may have arrived " + lag
	case LowerBound:
		return " arrived about " + lag
	default:
		return " arrived " + lag
	}
}

func (l *Late) harm() string {
	switch {
	case l.Waiters == 1:
		return "1 rank provably waited for it, " + causality.Shown(l.Wait)
	case l.Waiters > 1:
		return fmt.Sprintf("%d ranks provably waited for it, up to %s", l.Waiters, causality.Shown(l.Wait))
	case l.WaitsKnown:
		return "nobody provably waited for it"
	default:
		return "whether anybody waited for it is not known"
	}
}

// name tells a rank, with where it runs as far as that is known.
func name(r *collective.Rank) string {
	var where []string
	if r.Process.HostName != "" {
		where = append(where, "host "+r.Process.HostName)
	}
	if r.Process.PID > 0 {
		where = append(where, fmt.Sprintf("pid %d", r.Process.PID))
	}
	text := fmt.Sprintf("rank %d", r.Number)
	if len(where) > 0 {
		text += " (" + strings.Join(where, ", ") + ")"
	}
	return text
}
