//go:build amd64 || arm64

package wire

import (
	"github.com/gpucause/gpucause/bpf"
	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/probe"
)

// The Linux kernel side's enumerators and event's constants are the same
// numbers. An index that is not 0 does not compile: this is the check.
var (
	_ = [1]struct{}{}[uint(event.KindCall)-uint(bpf.GpucauseRecordKindRecordCall)]
	_ = [1]struct{}{}[uint(event.KindFunctionName)-uint(bpf.GpucauseRecordKindRecordFunctionName)]
	_ = [1]struct{}{}[uint(event.KindCycle)-uint(bpf.GpucauseRecordKindRecordCycle)]
	_ = [1]struct{}{}[uint(event.KindCompletion)-uint(bpf.GpucauseRecordKindRecordCompletion)]
	_ = [1]struct{}{}[uint(event.Kinds)-uint(bpf.GpucauseRecordKindRecordKinds)]

	_ = [1]struct{}{}[uint(event.NotableSlow)-uint(bpf.GpucauseNotableNotableSlow)]
	_ = [1]struct{}{}[uint(event.NotableFirstLaunch)-uint(bpf.GpucauseNotableNotableFirstLaunch)]
	_ = [1]struct{}{}[uint(event.NotableChild)-uint(bpf.GpucauseNotableNotableChild)]
	_ = [1]struct{}{}[uint(event.NotableCollective)-uint(bpf.GpucauseNotableNotableCollective)]
	_ = [1]struct{}{}[uint(event.NotableAbandoned)-uint(bpf.GpucauseNotableNotableAbandoned)]

	_ = [1]struct{}{}[uint(event.ReasonPreempted)-uint(bpf.GpucauseOffCpuReasonReasonPreempted)]
	_ = [1]struct{}{}[uint(event.ReasonRunQueue)-uint(bpf.GpucauseOffCpuReasonReasonRunQueue)]
	_ = [1]struct{}{}[uint(event.ReasonIO)-uint(bpf.GpucauseOffCpuReasonReasonIo)]
	_ = [1]struct{}{}[uint(event.ReasonYield)-uint(bpf.GpucauseOffCpuReasonReasonYield)]
	_ = [1]struct{}{}[uint(event.ReasonPageFault)-uint(bpf.GpucauseOffCpuReasonReasonPageFault)]
	_ = [1]struct{}{}[uint(event.ReasonOther)-uint(bpf.GpucauseOffCpuReasonReasonOther)]
	_ = [1]struct{}{}[uint(event.ReasonThrottled)-uint(bpf.GpucauseOffCpuReasonReasonThrottled)]
	_ = [1]struct{}{}[uint(event.Reasons)-uint(bpf.GpucauseOffCpuReasonReasons)]

	_ = [1]struct{}{}[uint(event.WakerHardIRQ)-uint(bpf.GpucauseWakerContextWakerHardirq)]
	_ = [1]struct{}{}[uint(event.WakerInterrupt)-uint(bpf.GpucauseWakerContextWakerInterrupt)]
	_ = [1]struct{}{}[uint(event.ProcessExited)-uint(bpf.GpucauseProcessChangeProcessExited)]
	_ = [1]struct{}{}[uint(event.ThreadAdopted)-uint(bpf.GpucauseProcessChangeThreadAdopted)]

	_ = [1]struct{}{}[uint(event.LedgerRunning)-uint(bpf.GpucauseLedgerStateLedgerRunning)]
	_ = [1]struct{}{}[uint(event.LedgerSyncSpin)-uint(bpf.GpucauseLedgerStateLedgerSyncSpin)]
	_ = [1]struct{}{}[uint(event.LedgerInputWait)-uint(bpf.GpucauseLedgerStateLedgerInputWait)]
	_ = [1]struct{}{}[uint(event.LedgerRunnable)-uint(bpf.GpucauseLedgerStateLedgerRunnable)]
	_ = [1]struct{}{}[uint(event.LedgerCollectiveWait)-uint(bpf.GpucauseLedgerStateLedgerCollectiveWait)]
	_ = [1]struct{}{}[uint(event.LedgerStates)-uint(len(bpf.GpucauseCycleRecord{}.LedgerNs))]
	_ = [1]struct{}{}[uint(event.CycleEndThread)-uint(bpf.GpucauseCycleEndCycleEndThread)]
	_ = [1]struct{}{}[uint(event.SpanSourceThread)-uint(bpf.GpucauseSpanSourceSpanSourceThread)]
	_ = [1]struct{}{}[uint(event.SpanSourceMap)-uint(bpf.GpucauseSpanSourceSpanSourceMap)]
	_ = [1]struct{}{}[event.IdentitySize-uint(len(bpf.GpucauseCommunicatorRecord{}.Identity))]
	_ = [1]struct{}{}[event.MaxDependencies-uint(len(bpf.GpucauseCompletionRecord{}.Serial))]

	_ = [1]struct{}{}[uint(probe.RoleCollective)-uint(bpf.GpucauseNcclRoleNcclCollective)]
	_ = [1]struct{}{}[uint(probe.RoleGroupEnd)-uint(bpf.GpucauseNcclRoleNcclGroupEnd)]
	_ = [1]struct{}{}[uint(probe.RoleDerives)-uint(bpf.GpucauseNcclRoleNcclDerives)]
	_ = [1]struct{}{}[uint(probe.RoleAborts)-uint(bpf.GpucauseNcclRoleNcclAborts)]
	_ = [1]struct{}{}[uint(probe.RoleTells)-uint(bpf.GpucauseNcclRoleNcclTells)]
	_ = [1]struct{}{}[uint(probe.EdgeRecordsEvent)-uint(bpf.GpucauseEdgeEdgeRecordsEvent)]
	_ = [1]struct{}{}[uint(probe.EdgeSyncsDevice)-uint(bpf.GpucauseEdgeEdgeSyncsDevice)]
	_ = [1]struct{}{}[uint(probe.EdgeQueriesEvent)-uint(bpf.GpucauseEdgeEdgeQueriesEvent)]
	_ = [1]struct{}{}[uint(probe.EdgeSetsDevice)-uint(bpf.GpucauseEdgeEdgeSetsDevice)]

	_ = [1]struct{}{}[probe.MaxSlots-uint(len(bpf.GpucauseCallRecord{}.Args))]
	_ = [1]struct{}{}[event.MaxStack-uint(len(bpf.GpucauseOffCpuRecord{}.Stack))]
	_ = [1]struct{}{}[event.MaxFunctionName-uint(len(bpf.GpucauseFunctionNameRecord{}.Name))]
	_ = [1]struct{}{}[event.HistogramBuckets-uint(len(bpf.GpucauseHistogram{}.Buckets))]
	_ = [1]struct{}{}[uint(probe.MemcpyKinds)-uint(len(bpf.GpucauseCallSeries{}.Bytes))]
)
