package tree_test

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// story builds the spans of one trace, one resource per process.
type story struct {
	traces ptrace.Traces
	spans  ptrace.SpanSlice
}

func newStory() *story {
	s := &story{traces: ptrace.NewTraces()}
	s.process(map[string]any{})
	return s
}

// process makes the spans to come those of another process.
func (s *story) process(attributes map[string]any) {
	resource := s.traces.ResourceSpans().AppendEmpty()
	_ = resource.Resource().Attributes().FromRaw(attributes)
	s.spans = resource.ScopeSpans().AppendEmpty().Spans()
}

// span adds a span; times are since a second after the epoch.
func (s *story) span(id, parent byte, name string, start, end time.Duration) pcommon.Map {
	span := s.spans.AppendEmpty()
	span.SetTraceID(pcommon.TraceID{1})
	span.SetSpanID(pcommon.SpanID{id})
	if parent != 0 {
		span.SetParentSpanID(pcommon.SpanID{parent})
	}
	span.SetName(name)
	span.SetStartTimestamp(pcommon.Timestamp(time.Second + start))
	span.SetEndTimestamp(pcommon.Timestamp(time.Second + end))
	return span.Attributes()
}

// chain is a launch that waits for a lock, whose holder waits for I/O. The
// spans are in no order, as they may come.
func chain() *story {
	const ms = time.Millisecond
	s := newStory()
	s.process(map[string]any{"process.pid": 100, "service.name": "vllm"})
	_ = s.span(3, 2, "blocked: io", 3*ms/10, 121*ms/10).FromRaw(map[string]any{
		"thread.id": 102, "thread.name": "kv-offload", "off_cpu.kind": "blocked", "off_cpu.reason": "io",
		"off_cpu.syscall": "write", "off_cpu.stack": []any{"bpf_prog_sched_switch+0x3ae", "__schedule+0x1", "io_schedule", "vfs_write"},
		"off_cpu.waker.context": "softirq", "off_cpu.start_time": 1,
	})
	_ = s.span(1, 0, "cudaLaunchKernel", 0, 131*ms/10).FromRaw(map[string]any{
		"thread.id": 101, "thread.name": "engine", "cuda.function.name": "gemm", "cuda.stream": "0x7",
		"cuda.grid.x": 128, "cuda.grid.y": 8, "cuda.grid.z": 1,
		"cuda.block.x": 256, "cuda.block.y": 1, "cuda.block.z": 1,
		"stall.summary": "cudaLaunchKernel took 13.1 ms: its thread was off-CPU for 12.6 ms, blocked on a futex for 12.5 ms, " +
			"woken by kv-offload (tid 102), which was itself blocked on storage I/O for 11.8 ms",
	})
	_ = s.span(2, 1, "blocked: futex", 3*ms/10, 128*ms/10).FromRaw(map[string]any{
		"thread.id": 101, "thread.name": "engine", "off_cpu.kind": "blocked", "off_cpu.reason": "futex",
		"off_cpu.syscall": "futex", "off_cpu.waker.context": "task", "off_cpu.waker.tid": 102, "off_cpu.waker.comm": "kv-offload",
	})
	_ = s.span(4, 1, "runnable: preempted", 128*ms/10, 129*ms/10).FromRaw(map[string]any{
		"thread.id": 101, "thread.name": "engine", "off_cpu.kind": "runnable",
		"off_cpu.preemptor.tid": 300, "off_cpu.preemptor.comm": "cpu-hog",
	})
	return s
}
