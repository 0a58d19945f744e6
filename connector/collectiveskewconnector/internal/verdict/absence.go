package verdict

import (
	"fmt"
	"strings"

	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/collective"
)

// presence is what the ranks that reported say together.
type presence struct {
	arrived int  // ranks whose call did not fail
	ended   bool // one saw the collective complete
	pending bool // one says that it did not see it complete
	sampled bool // every traced rank reports it
	failed  []int32
}

func present(c *collective.Collective) presence {
	var p presence
	for i := range c.Ranks {
		rank := &c.Ranks[i]
		p.sampled = p.sampled || rank.Is(collective.Sampled)
		if rank.Is(collective.Failed) {
			p.failed = append(p.failed, rank.Number)
			continue
		}
		p.arrived++
		p.ended = p.ended || rank.End == collective.CompletionSeen
		p.pending = p.pending || rank.End == collective.CompletionPending
	}
	return p
}

// absent returns the ranks that are missing from a collective whose time is over.
//
// Nobody saw it complete, and somebody says that it did not. Every rank that came
// reports it: it is sampled, or most ranks report it because they did not see it
// complete. With fewer, the others may just have completed it quickly,
// and those that report may be held up by work of their own.
func (j *Judge) absent(c *collective.Collective, p *presence) []collective.Range {
	if p.ended || !p.pending {
		return nil
	}
	if !p.sampled && 2*p.arrived <= c.Expected() {
		return nil
	}
	if c.Pair.Is {
		return collective.Ranges(c.OtherEnd())
	}
	return j.roster.Absent(c)
}

// absence tells who is missing.
func (j *Judge) absence(v *Verdict, p *presence) string {
	var reasons []string
	if silent := collective.Remove(v.Missing, p.failed); len(silent) > 0 {
		reasons = append(reasons, j.silence(v, silent))
	}
	if len(p.failed) > 0 {
		reasons = append(reasons, failures(v.Collective, p))
	}
	return title(v.Collective) + " was not seen to complete: " + strings.Join(reasons, "; ")
}

// silence tells of ranks that did not report.
func (j *Judge) silence(v *Verdict, silent []collective.Range) string {
	text := fmt.Sprintf("%s %s not reported it within %s of the first", collective.Show(silent), have(silent), j.settings.TTL)
	if collective.Count(silent) == 1 && !v.Collective.Pair.Is {
		text += lastReport(v.Collective, j.roster.Last(v.Collective.Communicator, silent[0].First))
	}
	return text
}

// lastReport tells the number at which a rank was reported last, 0 where it is not
// known. The rank may have come to any number from there to that of c.
func lastReport(c *collective.Collective, last int64) string {
	if last == 0 {
		return ""
	}
	text := fmt.Sprintf(", and was last reported at number %d", last)
	if last < c.Sequence-1 {
		text += " (not every number is reported)"
	}
	return text
}

func have(ranks []collective.Range) string {
	if collective.Count(ranks) == 1 {
		return "has"
	}
	return "have"
}

// failures tells what the calls of ranks returned that failed.
func failures(c *collective.Collective, p *presence) string {
	text := "the call of " + collective.Show(collective.Ranges(p.failed)) + " failed"
	for i := range c.Ranks {
		if r := &c.Ranks[i]; r.Is(collective.Failed) && r.Error != "" {
			return text + " with " + r.Error
		}
	}
	return text
}
