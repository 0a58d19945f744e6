package spans

import (
	"slices"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/gpucause/gpucause/internal/causality"
	"github.com/gpucause/gpucause/internal/event"
)

func (w *writer) describeBlocked(span ptrace.Span, i *causality.Interval) {
	attributes := span.Attributes()
	attributes.PutStr(attrOffCPUKind, kindBlockedName)
	attributes.PutStr(attrReason, i.Reason.String())
	w.describeSwitchOut(attributes, i)
	w.describeClip(attributes, i)
	w.describeWaker(attributes, i)
}

func (w *writer) describeRunnable(span ptrace.Span, i *causality.Interval) {
	attributes := span.Attributes()
	attributes.PutStr(attrOffCPUKind, kindRunnableName)
	attributes.PutStr(attrReason, i.RunnableReason().String())
	if i.Reason.Runnable() {
		w.describeSwitchOut(attributes, i)
	}
	w.describeClip(attributes, i)
	if i.RunnableReason() != event.ReasonThrottled { // nobody took it
		putTask(attributes, prefixPreemptor, i.OffCPU.Preemptor)
	}
}

// describeSwitchOut tells where the thread stood when it left its CPU.
func (w *writer) describeSwitchOut(attributes pcommon.Map, i *causality.Interval) {
	o := i.OffCPU
	if o.Syscall >= 0 {
		attributes.PutStr(attrSyscall, w.syscallName(o.Syscall))
	}
	w.putStack(attributes, o)
}

// describeClip tells the true times of an interval that is shown in part.
func (w *writer) describeClip(attributes pcommon.Map, i *causality.Interval) {
	if i.Clipped() {
		attributes.PutInt(attrOffCPUStart, w.batch.offset.UnixNano(i.OffCPU.Start))
		attributes.PutDouble(attrOffCPUTime, i.OffCPU.End.Sub(i.OffCPU.Start).Seconds())
	}
}

func (w *writer) syscallName(number int32) string {
	if name, ok := w.batch.builder.syscalls[number]; ok {
		return name
	}
	return strconv.Itoa(int(number))
}

// putStack shows the Linux kernel stack, unless no function of it has a name.
func (w *writer) putStack(attributes pcommon.Map, o *event.OffCPU) {
	names := w.frames(o)
	if !slices.ContainsFunc(names, func(name string) bool { return name != unknownFrame }) {
		return
	}
	frames := attributes.PutEmptySlice(attrStack)
	for _, name := range names {
		frames.AppendEmpty().SetStr(name)
	}
}

// frames names the Linux kernel stack, innermost first, without the probe's own frames.
func (w *writer) frames(o *event.OffCPU) []string {
	var names []string
	for _, address := range o.Stack {
		if address == 0 {
			break
		}
		names = append(names, w.frame(address))
	}
	for i := min(maxTracingFrames, len(names)) - 1; i >= 0; i-- {
		if isTracing(names[i]) {
			return names[i+1:]
		}
	}
	return names
}

// tracingFrames begin the names of the functions between the scheduler and a
// program at its tracepoint; there are at most maxTracingFrames of them.
var tracingFrames = [...]string{"bpf_prog_", "bpf_trace_", "__bpf_trace_", "__traceiter_"}

const maxTracingFrames = 5

func isTracing(frame string) bool {
	for _, prefix := range tracingFrames {
		if strings.HasPrefix(frame, prefix) {
			return true
		}
	}
	return false
}

// unknownFrame stands for an address without a name. The address itself would
// tell where the Linux kernel is loaded.
const unknownFrame = "[unknown]"

func (w *writer) frame(address uint64) string {
	if symbol := w.batch.builder.settings.Symbol; symbol != nil {
		if name := symbol(address); name != "" {
			return name
		}
	}
	return unknownFrame
}

// wakerContexts are the values of off_cpu.waker.context.
var wakerContexts = map[event.WakerContext]string{
	event.WakerTask:      "task",
	event.WakerSoftIRQ:   "softirq",
	event.WakerHardIRQ:   "hardirq",
	event.WakerInterrupt: "interrupt",
}

// describeWaker names the waker only where its thread acted itself: an
// interrupt merely borrowed it.
func (w *writer) describeWaker(attributes pcommon.Map, i *causality.Interval) {
	attributes.PutStr(attrWakerStory, i.Story.String())
	if i.Story == causality.StoryTruncated {
		attributes.PutBool(attrOffCPUCut, true)
	}
	if name, ok := wakerContexts[i.OffCPU.WakerContext]; ok {
		attributes.PutStr(attrWakerContext, name)
	}
	if i.OffCPU.WakerContext == event.WakerTask {
		putTask(attributes, prefixWaker, i.OffCPU.Waker)
	}
}

// putTask names a thread, unless it is nobody.
func putTask(attributes pcommon.Map, prefix string, task event.Task) {
	if task.Thread.TID == 0 {
		return
	}
	attributes.PutInt(prefix+suffixPID, int64(task.Thread.PID))
	attributes.PutInt(prefix+suffixTID, int64(task.Thread.TID))
	attributes.PutStr(prefix+suffixComm, task.Comm.String())
}
