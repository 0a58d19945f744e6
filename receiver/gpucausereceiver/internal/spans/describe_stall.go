package spans

import (
	"fmt"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/gpucause/gpucause/internal/causality"
	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/probe"
)

func (w *writer) describeStall(root ptrace.Span, stall *causality.Stall) {
	attributes, cycle := root.Attributes(), &stall.Cycle
	attributes.PutStr(attrStallKind, stall.Kind.String())
	attributes.PutStr(attrSummary, causality.StallSummary(stall))
	putAttribution(attributes, &stall.Attribution)
	if stall.Typical > 0 {
		attributes.PutDouble(attrTypical, stall.Typical.Seconds())
	}
	putLedger(attributes, &cycle.Ledger)
	attributes.PutInt(attrCycleID, int64(cycle.ID))
	putCycleEnd(attributes, cycle)
	attributes.PutInt(attrLaunches, int64(cycle.Launches))
	attributes.PutInt(attrFirstLaunches, int64(cycle.FirstLaunches))
	if cycle.Interrupted > 0 {
		attributes.PutInt(attrInterruptedLaunches, int64(cycle.Interrupted))
	}
	attributes.PutInt(attrCopied, int64(cycle.CopiedBytes))
	putCount(attributes, attrFailed, int64(cycle.Failed))
	putCount(attributes, attrTruncated, int64(stall.Truncated))
	putCount(attributes, attrOmitted, int64(stall.Omitted))
	if stall.Incomplete {
		attributes.PutBool(attrIncomplete, true)
	}
	w.putStacks(attributes, stall.Stacks)
}

// putAttribution says the cause, unless there is nothing to explain.
func putAttribution(attributes pcommon.Map, a *causality.Attribution) {
	if a.Cause == causality.CauseNone {
		return
	}
	attributes.PutStr(attrCause, a.Cause.String())
	attributes.PutDouble(attrExplained, a.Explained)
}

func putLedger(attributes pcommon.Map, ledger *event.Ledger) {
	for state, d := range ledger {
		if d > 0 {
			attributes.PutDouble(prefixDispatchTime+event.LedgerState(state).String(), d.Seconds())
		}
	}
}

// cycleEnds are the values of dispatch.ended_by.
var cycleEnds = map[event.CycleEnd]string{
	event.CycleEndSync:    "sync",
	event.CycleEndTooLong: "max_cycle",
	event.CycleEndThread:  "thread_exit",
}

func putCycleEnd(attributes pcommon.Map, cycle *event.Cycle) {
	if name, ok := cycleEnds[cycle.EndedBy]; ok {
		attributes.PutStr(attrEndedBy, name)
	}
	if p := probe.Get(cycle.Probe); p != nil && cycle.Probe != 0 {
		attributes.PutStr(attrEndedByCall, p.Function)
	}
}

func putCount(attributes pcommon.Map, key string, n int64) {
	if n > 0 {
		attributes.PutInt(key, n)
	}
}

// putStacks tells in which Linux kernel stacks the dispatcher was blocked most.
func (w *writer) putStacks(attributes pcommon.Map, stacks []causality.Stack) {
	if len(stacks) == 0 {
		return
	}
	lines := attributes.PutEmptySlice(attrStacks)
	for n := range stacks {
		s := &stacks[n]
		lines.AppendEmpty().SetStr(fmt.Sprintf("%s: count %d, mean %s, total %s: %s", s.Reason, s.Count,
			s.Mean().Round(time.Microsecond), s.Total.Round(time.Microsecond), strings.Join(w.frames(s.Example), " < ")))
	}
}
