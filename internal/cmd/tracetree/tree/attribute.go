package tree

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// Attributes that are read by name. The receiver's spans package defines them.
const (
	attrServiceName  = "service.name"
	attrPID          = "process.pid"
	attrThreadID     = "thread.id"
	attrThreadName   = "thread.name"
	attrSummary      = "stall.summary"
	attrCause        = "stall.cause"
	attrOffCPUKind   = "off_cpu.kind"
	attrReason       = "off_cpu.reason"
	attrSyscall      = "off_cpu.syscall"
	attrStack        = "off_cpu.stack"
	attrCallStart    = "cuda.call.start_time"
	attrOffCPUStart  = "off_cpu.start_time"
	prefixWaker      = "off_cpu.waker."
	prefixPreemptor  = "off_cpu.preemptor."
	attrWakerContext = prefixWaker + "context"
	attrWakerStory   = prefixWaker + "story"
)

// details are the attributes shown beside a span, in this order. Each show
// returns "" where it has nothing to say of the span.
var details = []func(pcommon.Map) string{
	str("nccl.verdict", ""),
	str(attrCause, "cause "),
	str("stall.phase", "in "),
	str("nccl.rank", "rank "),
	byteSize("nccl.size"),
	duration("nccl.wait", "host stalled "),
	str("nccl.arrival.cause", "came late: "),
	str("cuda.function.name", ""),
	flag("cuda.function.first_launch", "first launch"),
	dimensions("grid", "cuda.grid"),
	dimensions("block", "cuda.block"),
	str("cuda.memcpy.kind", ""),
	byteSize("cuda.memcpy.size"),
	byteSize("cuda.memory.size"),
	str("cuda.stream", "stream "),
	str("error.type", "failed: "),
	flag("cuda.call.abandoned", "never returned"),
	syscall,
	waker,
	task(prefixPreemptor, "CPU had by "),
	present(attrCallStart, "began before"),
	present(attrOffCPUStart, "clipped"),
	flag("off_cpu.truncated", "story cut"),
}

// stackFrames is how many frames of a stack are shown.
const stackFrames = 6

func str(key, before string) func(pcommon.Map) string {
	return func(attributes pcommon.Map) string {
		if value, ok := attributes.Get(key); ok && value.AsString() != "" {
			return before + value.AsString()
		}
		return ""
	}
}

func flag(key, name string) func(pcommon.Map) string {
	return func(attributes pcommon.Map) string {
		if value, ok := attributes.Get(key); ok && value.Bool() {
			return name
		}
		return ""
	}
}

func present(key, name string) func(pcommon.Map) string {
	return func(attributes pcommon.Map) string {
		if _, ok := attributes.Get(key); ok {
			return name
		}
		return ""
	}
}

// dimensions shows x, y and z without what is 0 or 1 at the end.
func dimensions(name, key string) func(pcommon.Map) string {
	return func(attributes pcommon.Map) string {
		sizes := []int64{integer(attributes, key+".x"), integer(attributes, key+".y"), integer(attributes, key+".z")}
		for len(sizes) > 1 && sizes[len(sizes)-1] <= 1 {
			sizes = sizes[:len(sizes)-1]
		}
		if sizes[0] == 0 {
			return ""
		}
		words := make([]string, len(sizes))
		for i, size := range sizes {
			words[i] = strconv.FormatInt(size, 10)
		}
		return name + " " + strings.Join(words, "x")
	}
}

// byteSize shows a size in the largest unit that leaves no more than one decimal.
func byteSize(key string) func(pcommon.Map) string {
	return func(attributes pcommon.Map) string {
		value := integer(attributes, key)
		if value == 0 {
			return ""
		}
		size, units := float64(value), []string{"B", "KiB", "MiB", "GiB", "TiB"}
		for size >= 1024 && len(units) > 1 {
			size, units = size/1024, units[1:]
		}
		return strings.TrimSuffix(fmt.Sprintf("%.1f", size), ".0") + " " + units[0]
	}
}

// duration shows seconds in milliseconds.
func duration(key, before string) func(pcommon.Map) string {
	return func(attributes pcommon.Map) string {
		value, ok := attributes.Get(key)
		if !ok {
			return ""
		}
		return before + milliseconds(time.Duration(value.Double()*float64(time.Second))) + " ms"
	}
}

func task(prefix, before string) func(pcommon.Map) string {
	return func(attributes pcommon.Map) string {
		if _, ok := attributes.Get(prefix + "tid"); !ok {
			return ""
		}
		return before + taskName(text(attributes, prefix+"comm"), integer(attributes, prefix+"tid"))
	}
}

// syscall is left out where the reason already says it.
func syscall(attributes pcommon.Map) string {
	name := text(attributes, attrSyscall)
	if name == "" || name == text(attributes, attrReason) {
		return ""
	}
	return "in " + name
}

// waker names who ended a wait: a thread, or the interrupt that borrowed one.
func waker(attributes pcommon.Map) string {
	switch text(attributes, attrWakerContext) {
	case "task":
		named := task(prefixWaker, "woken by ")(attributes)
		if text(attributes, attrWakerStory) == "not_traced" {
			named += " (not traced)"
		}
		return named
	case "softirq", "hardirq", "interrupt":
		return "woken by interrupt"
	default:
		return ""
	}
}

func taskName(comm string, tid int64) string { return fmt.Sprintf("%s (tid %d)", comm, tid) }

// stack returns the innermost frames of a Linux kernel stack, innermost first,
// without those that every switch-out has: our probe and the scheduler's own.
func stack(attributes pcommon.Map) []string {
	value, ok := attributes.Get(attrStack)
	if !ok || value.Type() != pcommon.ValueTypeSlice {
		return nil
	}
	var frames []string
	for _, frame := range value.Slice().All() {
		if name := frame.AsString(); len(frames) > 0 || !switchOut(name) {
			frames = append(frames, name)
		}
	}
	return frames[:min(len(frames), stackFrames)]
}

// switchOut recognises "name" and "name+0x1f".
func switchOut(frame string) bool {
	name, _, _ := strings.Cut(frame, "+")
	return strings.HasPrefix(name, "bpf_") || name == "__schedule" || name == "schedule"
}

func text(attributes pcommon.Map, key string) string {
	if value, ok := attributes.Get(key); ok {
		return value.AsString()
	}
	return ""
}

func integer(attributes pcommon.Map, key string) int64 {
	if value, ok := attributes.Get(key); ok {
		return value.Int()
	}
	return 0
}
