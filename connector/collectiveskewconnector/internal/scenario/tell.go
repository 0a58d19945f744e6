package scenario

import (
	"fmt"
	"strings"

	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/engine"
	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/pairing"
	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/verdict"
)

// Tell runs the story and returns its verdicts, one per line with what they say
// below, and what was counted besides.
func (s *Story) Tell() string {
	var text strings.Builder
	e := s.Run(func(v *verdict.Verdict) { text.WriteString(Line(v)) })
	text.WriteString(counts(e))
	return text.String()
}

// Line tells a verdict.
func Line(v *verdict.Verdict) string {
	var text strings.Builder
	fmt.Fprintf(&text, "#%d %s, %s", v.Collective.Sequence, v.Result, v.Kind)
	if v.Skew.Known {
		fmt.Fprintf(&text, ", skew %s", v.Skew.Time)
		if v.Skew.Error > 0 {
			fmt.Fprintf(&text, " +- %s", v.Skew.Error)
		}
	}
	text.WriteString("\n")
	if late := v.Late; late != nil {
		fmt.Fprintf(&text, "  %s, %s %.2f", late.Quality, late.Cause, late.Explained)
		if late.ClockError > 0 {
			fmt.Fprintf(&text, ", clock %s +- %s", late.ClockOffset, late.ClockError)
		}
		text.WriteString("\n")
	}
	if v.Summary != "" {
		text.WriteString("  " + v.Summary + "\n")
	}
	return text.String()
}

// counts tells what did not go as usual.
func counts(e *engine.Engine) string {
	var text strings.Builder
	tally, totals := e.Tally(), e.Totals()
	for outcome, n := range tally.Spans {
		if n > 0 && pairing.Outcome(outcome) != pairing.Paired {
			fmt.Fprintf(&text, "(%s: %d)\n", pairing.Outcome(outcome), n)
		}
	}
	for _, c := range []struct {
		name string
		n    int
	}{
		{"unpairable", int(tally.Unpairable)},
		{"held", totals.Collectives},
		{"clocks set", int(totals.ClocksSet)},
		{"collectives rejected", int(totals.CollectivesRejected)},
	} {
		if c.n > 0 {
			fmt.Fprintf(&text, "(%s: %d)\n", c.name, c.n)
		}
	}
	return text.String()
}
