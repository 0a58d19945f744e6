package spans

import (
	"cmp"
	"fmt"
	"strings"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/neighbour"
)

// A request is named as what the others waited for when it was at least
// blockerShare of the known work, and blockerLead times as much as any other. Among
// requests of the same size none is; the one that is missing, because it has not
// ended, may be the one.
const (
	blockerShare = 0.5
	blockerLead  = 5
)

// neighbours names the requests that kept the GPU busy meanwhile, and links to
// them.
func (p *Payload) neighbours(summary ptrace.Span, joined *Joined) {
	others := p.named(joined.Neighbours)
	if len(others) > 0 {
		lines := summary.Attributes().PutEmptySlice(attrNeighbours)
		for i := range others {
			lines.AppendEmpty().SetStr(describe(&others[i]))
			addLink(summary, others[i].Trace, others[i].Span, linkNeighbour)
		}
	}
	blocker := blockerOf(joined.Neighbours)
	if blocker == nil {
		return
	}
	summary.Attributes().PutStr(attrBlockerID, nameOf(blocker))
	summary.Attributes().PutDouble(attrBlockerShare, blocker.Share)
	if blocker.Self {
		summary.Attributes().PutBool(attrBlockerSelf, true)
	}
}

// named returns the neighbours that are named: the first ones besides the
// request itself.
func (p *Payload) named(all []neighbour.Neighbour) []neighbour.Neighbour {
	var others []neighbour.Neighbour
	for i := range all {
		if !all[i].Self && len(others) < p.settings.Neighbours {
			others = append(others, all[i])
		}
	}
	return others
}

// blockerOf returns the request that was most of the work, if one stands out.
func blockerOf(all []neighbour.Neighbour) *neighbour.Neighbour {
	if len(all) < 2 || all[0].Share < max(blockerShare, blockerLead*all[1].Share) {
		return nil
	}
	return &all[0]
}

// blame says in a sentence whose work the GPU did meanwhile.
func (p *Payload) blame(joined *Joined) string {
	blocker := blockerOf(joined.Neighbours)
	switch {
	case blocker == nil || p.settings.Neighbours == 0:
		return ""
	case blocker.Self:
		return fmt.Sprintf("; this request itself was %.0f %% of the GPU's known work then", 100*blocker.Share)
	}
	return fmt.Sprintf("; %.0f %% of the GPU's known work then was request %s (%s)", 100*blocker.Share, nameOf(blocker), size(blocker))
}

func nameOf(n *neighbour.Neighbour) string { return cmp.Or(n.ID, n.Span.String()) }

// describe writes a neighbour in a line.
func describe(n *neighbour.Neighbour) string {
	return fmt.Sprintf("%s: %s, beside it for %s, %.0f %% of the known work", nameOf(n), size(n), short(n.Overlap), 100*n.Share)
}

// size says how much work a request was.
func size(n *neighbour.Neighbour) string {
	var s strings.Builder
	if n.Sequences > 1 {
		fmt.Fprintf(&s, "n %d, ", n.Sequences)
	}
	if n.Logprobs > 0 {
		fmt.Fprintf(&s, "logprobs %d, ", n.Logprobs)
	}
	fmt.Fprintf(&s, "%d prompt and %d completion tokens", n.PromptTokens, n.CompletionTokens)
	return s.String()
}
