package spans

import (
	"fmt"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/group"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/process"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/request"
)

// summary tells what all stalls together took of the request, shown or not.
func (p *Payload) summary(joined *Joined) {
	totals := &joined.Totals
	span := p.begin(joined.owner(), nameSummary, totals.Hull)
	span.SetTraceID(joined.Request.Trace)
	span.SetParentSpanID(joined.Request.Span)
	span.SetSpanID(summaryID(joined.Request))
	attributes := span.Attributes()
	attributes.PutStr(attrSummary, p.sentence(joined))
	attributes.PutStr(attrCause, totals.Causes[0].Name)
	attributes.PutInt(attrCount, int64(totals.Count))
	attributes.PutInt(attrShown, int64(joined.Shown))
	attributes.PutDouble(attrTime, totals.Time.Seconds())
	attributes.PutDouble(attrShare, joined.share())
	attributes.PutDouble(attrExcess, totals.Excess.Seconds())
	putParts(attributes, joined)
	attributes.PutStr(attrScope, string(joined.Decision.Scope))
	attributes.PutStr(attrEvidence, string(joined.Decision.Evidence))
	attributes.PutInt(attrProcesses, int64(len(totals.Processes)))
	if totals.Truncated {
		attributes.PutBool(attrTruncated, true)
	}
	p.neighbours(span, joined)
}

// owner is the process whose resource the summary has: that of the longest stall.
func (j *Joined) owner() process.ID { return j.Hits[0].Process }

// share returns how much of the request was stalled, 0 to 1.
func (j *Joined) share() float64 {
	return min(j.Totals.Time.Seconds()/j.Request.Window.Duration().Seconds(), 1)
}

// putParts puts the time by cause and by phase.
func putParts(attributes pcommon.Map, joined *Joined) {
	for _, cause := range joined.Totals.Causes {
		attributes.PutDouble(prefixTime+cause.Name, cause.Time.Seconds())
	}
	for phase := request.PhaseNone + 1; phase < request.NumPhases; phase++ {
		if took := joined.Totals.Phases[phase]; took > 0 {
			attributes.PutDouble(prefixPhaseTime+phase.String(), took.Seconds())
		}
	}
}

// maxNamed bounds the causes in the sentence.
const maxNamed = 3

// sentence tells the summary to a person.
func (p *Payload) sentence(joined *Joined) string {
	totals := &joined.Totals
	var s strings.Builder
	s.WriteString(joined.extent())
	for i, cause := range totals.Causes[:min(len(totals.Causes), maxNamed)] {
		if i > 0 {
			s.WriteString(", ")
		}
		fmt.Fprintf(&s, "%s %s", cause.Name, short(cause.Time))
	}
	s.WriteString(p.blame(joined))
	if longest := joined.Hits[0].Summary; longest != "" {
		fmt.Fprintf(&s, "; the longest: %s", longest)
	}
	return s.String()
}

// extent says how much of the request the stalls took. Those of several engines
// may have been of one that did not serve it: of these only the most that they can
// have taken is known.
func (j *Joined) extent() string {
	format := "%s took %s of this request's %s (%.0f %%): "
	if j.Decision.Scope == group.ScopeService {
		format = "%s of the service's engines overlapped this request (at most %s of its %s, %.0f %%): "
	}
	return fmt.Sprintf(format, stalls(j.Totals.Count), short(j.Totals.Time), short(j.Request.Window.Duration()), 100*j.share())
}

func stalls(n int) string {
	if n == 1 {
		return "1 stall"
	}
	return fmt.Sprintf("%d stalls", n)
}

// short writes a duration with as many digits as a person reads.
func short(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d >= time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	}
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}
