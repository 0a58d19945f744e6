package spans

import (
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/collective"
	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/verdict"
)

// maxMissing is how many missing ranks are listed one by one.
const maxMissing = 128

// putProcess puts the resource of a process, or what identifies it where the rest was
// forgotten.
func putProcess(attributes pcommon.Map, process *collective.Process) {
	if process.Resource.Len() > 0 {
		process.Resource.CopyTo(attributes)
		return
	}
	if process.HostName != "" {
		attributes.PutStr(attrHostName, process.HostName)
	}
	if process.HostID != "" {
		attributes.PutStr(attrHostID, process.HostID)
	}
	if process.PID > 0 {
		attributes.PutInt(attrPID, process.PID)
	}
}

func describe(attributes pcommon.Map, v *verdict.Verdict) {
	c := v.Collective
	attributes.PutStr(attrOperation, c.Operation().String())
	attributes.PutStr(attrCommunicator, c.Communicator)
	attributes.PutInt(attrSize, int64(c.Size))
	attributes.PutInt(attrSequence, c.Sequence)
	if v.Skew.Known {
		attributes.PutDouble(attrSkew, v.Skew.Time.Seconds())
	}
	attributes.PutStr(attrSummary, v.Summary)
	switch v.Kind {
	case verdict.Desynchronized:
		attributes.PutStr(attrVerdict, verdictDesynchronized)
		putStrings(attributes, attrCalls, v.Calls)
	case verdict.MissingRanks:
		attributes.PutStr(attrVerdict, verdictMissing)
		putMissing(attributes, v.Missing)
	default:
		attributes.PutStr(attrVerdict, verdictStraggler)
		putLate(attributes, v.Late)
	}
}

func putLate(attributes pcommon.Map, late *verdict.Late) {
	attributes.PutInt(attrRank, int64(late.Rank.Number))
	attributes.PutInt(attrAfter, int64(late.After.Number))
	attributes.PutDouble(attrLag, late.Lag.Seconds())
	if late.LagError > 0 {
		attributes.PutDouble(attrLagError, late.LagError.Seconds())
	}
	attributes.PutStr(attrQuality, late.Quality.String())
	attributes.PutStr(attrCause, late.Cause)
	attributes.PutDouble(attrExplained, late.Explained)
	if late.WaitsKnown {
		attributes.PutDouble(attrWait, late.Wait.Seconds())
		attributes.PutInt(attrWaiters, int64(late.Waiters))
	}
	if late.ClockError > 0 {
		attributes.PutDouble(attrClockError, late.ClockError.Seconds())
		attributes.PutDouble(attrClockOffset, late.ClockOffset.Seconds())
	}
}

func putMissing(attributes pcommon.Map, missing []collective.Range) {
	attributes.PutInt(attrMissingCount, int64(collective.Count(missing)))
	list := attributes.PutEmptySlice(attrMissing)
	for _, n := range collective.Numbers(missing, maxMissing) {
		list.AppendEmpty().SetInt(int64(n))
	}
}

func putStrings(attributes pcommon.Map, key string, values []string) {
	list := attributes.PutEmptySlice(key)
	list.EnsureCapacity(len(values))
	for _, value := range values {
		list.AppendEmpty().SetStr(value)
	}
}
