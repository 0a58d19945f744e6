package spans

import (
	"reflect"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/gpucause/gpucause/internal/causality"
	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
	"github.com/gpucause/gpucause/internal/probe"
)

func launch(tid event.TID, start ktime.Time) *causality.Chain {
	row, _ := probe.Find("cudaLaunchKernel")
	process := event.ProcessID{PID: 100, Start: 7}
	call := &event.Call{
		Task: event.Task{Thread: event.Thread{PID: 100, TID: tid}}, ID: 1, Probe: row.ID, Start: start, End: start + 10,
	}
	return &causality.Chain{
		Process: process,
		Root:    &causality.Interval{Process: process, Call: call, Start: call.Start, End: call.End},
	}
}

func TestIDsAreDeterministic(t *testing.T) {
	settings := Settings{HostID: "a"}
	first := NewBuilder(settings).NewBatch(0).Append(launch(101, 5))[0]
	again := NewBuilder(settings).NewBatch(99).Append(launch(101, 5))[0]
	if first.TraceID != again.TraceID || first.SpanID != again.SpanID {
		t.Error("the same call has different ids")
	}
	settings.HostID = "b"
	elsewhere := NewBuilder(settings).NewBatch(0).Append(launch(101, 5))[0]
	if elsewhere.TraceID == first.TraceID || elsewhere.SpanID == first.SpanID {
		t.Error("two hosts share an id")
	}
}

func TestEmittedNamesTheSpan(t *testing.T) {
	batch := NewBuilder(Settings{}).NewBatch(0)
	emitted := batch.Append(launch(101, 5))
	span := all(batch.Traces())[0]
	e := emitted[0]
	if len(emitted) != 1 || e.SpanID != span.SpanID() || e.TraceID != span.TraceID() || e.Duration() != 10 || e.Thread.TID != 101 {
		t.Errorf("emitted %+v", emitted)
	}
}

func TestRootsLinkToThePreviousOneOfTheirThread(t *testing.T) {
	batch := NewBuilder(Settings{}).NewBatch(0)
	first := batch.Append(launch(101, 5))[0]
	batch.Append(launch(102, 6))
	batch.Append(launch(101, 50))
	spans := all(batch.Traces())
	if spans[0].Links().Len() != 0 || spans[1].Links().Len() != 0 || spans[2].Links().Len() != 1 {
		t.Fatal("wrong links")
	}
	if l := spans[2].Links().At(0); l.TraceID() != first.TraceID || l.SpanID() != first.SpanID {
		t.Error("the link leads elsewhere")
	}
}

func TestPreviousRootsAreBounded(t *testing.T) {
	p := newPreviousRoots(3)
	key := func(n int) threadKey { return threadKey{tid: event.TID(n)} }
	for n := range 10 {
		if _, known := p.swap(key(n), told{}); known {
			t.Errorf("thread %d is known at once", n)
		}
	}
	if len(p.roots) != 3 || len(p.order) != 3 {
		t.Errorf("%d roots, %d in order", len(p.roots), len(p.order))
	}
	if _, known := p.swap(key(9), told{}); !known {
		t.Error("the latest thread is forgotten")
	}
}

func TestWakersCallLinksToItsOwnTrace(t *testing.T) {
	own := map[pcommon.TraceID]bool{}
	var links []ptrace.SpanLink
	for _, span := range all(traces(t, "waker-in-its-own-call", bootedAt)) {
		if span.ParentSpanID().IsEmpty() {
			own[span.TraceID()] = true
		}
		for _, l := range span.Links().All() {
			links = append(links, l)
		}
	}
	if len(links) != 1 || !own[links[0].TraceID()] {
		t.Errorf("%d links; the waker's trace exists: %v", len(links), len(links) > 0 && own[links[0].TraceID()])
	}
}

func TestOneResourcePerProcess(t *testing.T) {
	got := traces(t, "pipe-fed-by-another-process", bootedAt)
	if n := got.ResourceSpans().Len(); n != 3 {
		t.Fatalf("%d resources, want 3", n)
	}
	for _, resource := range got.ResourceSpans().All() {
		pid, _ := resource.Resource().Attributes().Get(attrPID)
		for _, span := range resource.ScopeSpans().At(0).Spans().All() {
			if tid, _ := span.Attributes().Get(attrThreadID); tid.Int()/100 != pid.Int()/100 {
				t.Errorf("thread %d in process %d", tid.Int(), pid.Int())
			}
		}
	}
}

func TestUnknownProbeAndHostileArguments(t *testing.T) {
	chain := launch(101, 5)
	row, _ := probe.Find("cudaMemcpyAsync")
	chain.Root.Call.Probe = row.ID
	for n := range chain.Root.Call.Args {
		chain.Root.Call.Args[n] = ^uint64(0)
	}
	batch := NewBuilder(Settings{}).NewBatch(0)
	batch.Append(chain)
	kind, _ := all(batch.Traces())[0].Attributes().Get(attrMemcpyKind)
	if kind.Str() != "unknown" {
		t.Errorf("kind %q", kind.Str())
	}

	chain.Root.Call.Probe = probe.MaxProbes + 1
	unknown := NewBuilder(Settings{}).NewBatch(0)
	unknown.Append(chain)
	if name := all(unknown.Traces())[0].Name(); name != unknownCall {
		t.Errorf("name %q", name)
	}
}

// Addresses of the Linux kernel stay on the machine: what has no name is not shown.
func TestStacksShowNoAddresses(t *testing.T) {
	const named, unnamed = 0xffffffff81000080, 0xffffffffc0000010
	names := func(address uint64) string {
		if address == named {
			return "schedule+0x1f"
		}
		return ""
	}
	for name, test := range map[string]struct {
		symbol func(uint64) string
		stack  []uint64
		want   []any
	}{
		"no symbols":       {nil, []uint64{named, unnamed}, nil},
		"none resolved":    {names, []uint64{unnamed, unnamed}, nil},
		"one not resolved": {names, []uint64{named, unnamed}, []any{"schedule+0x1f", unknownFrame}},
		"no stack":         {names, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			chain := launch(101, 5)
			wait := &event.OffCPU{Task: chain.Root.Call.Task, Start: 6, Wake: 8, End: 8, Syscall: event.NoSyscall}
			copy(wait.Stack[:], test.stack)
			chain.Root.Children = []*causality.Interval{{OffCPU: wait, Start: 6, Wake: 8, End: 8}}
			batch := NewBuilder(Settings{Symbol: test.symbol}).NewBatch(0)
			batch.Append(chain)
			stack, found := all(batch.Traces())[1].Attributes().Get(attrStack)
			if found != (test.want != nil) {
				t.Fatalf("stack is there: %v", found)
			}
			if found && !reflect.DeepEqual(stack.Slice().AsRaw(), test.want) {
				t.Errorf("stack %v, want %v", stack.Slice().AsRaw(), test.want)
			}
		})
	}
}

func TestEveryWakerContextHasAName(t *testing.T) {
	for context, want := range map[event.WakerContext]string{
		event.WakerTask: "task", event.WakerSoftIRQ: "softirq", event.WakerHardIRQ: "hardirq", event.WakerInterrupt: "interrupt",
	} {
		chain := launch(101, 5)
		wait := &event.OffCPU{Task: chain.Root.Call.Task, Start: 6, Wake: 8, End: 8, WakerContext: context}
		chain.Root.Children = []*causality.Interval{{OffCPU: wait, Start: 6, Wake: 8, End: 8}}
		batch := NewBuilder(Settings{}).NewBatch(0)
		batch.Append(chain)
		if got, _ := all(batch.Traces())[1].Attributes().Get(attrWakerContext); got.Str() != want {
			t.Errorf("context %d is %q, want %q", context, got.Str(), want)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	builder, chain := NewBuilder(Settings{HostID: "a"}), launch(101, 5)
	b.ReportAllocs()
	for b.Loop() {
		builder.NewBatch(0).Append(chain)
	}
}
