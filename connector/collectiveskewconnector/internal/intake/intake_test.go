package intake

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/collective"
	"github.com/gpucause/gpucause/internal/event"
)

const enqueued = 1_700_000_000_000_000_000

// rankSpan returns a span with everything that a rank reports.
func rankSpan() ptrace.Span {
	span := ptrace.NewSpan()
	span.SetName("ncclReduce")
	span.SetTraceID(pcommon.TraceID{1})
	span.SetSpanID(pcommon.SpanID{2})
	span.SetParentSpanID(pcommon.SpanID{3})
	_ = span.Attributes().FromRaw(map[string]any{
		"nccl.operation": "Reduce", "nccl.communicator": "c0ffee", "nccl.communicator.size": 8, "nccl.rank": 3,
		"nccl.sequence": 7, "nccl.root": 1, "nccl.count": 1024, "nccl.datatype": "float16", "nccl.reduction": "sum",
		"nccl.sampled": true, "nccl.enqueue.time": enqueued, "nccl.enqueue.not_before": enqueued - 3, "nccl.enqueue.quality": "bounded",
		"nccl.completion.time": enqueued + 5, "nccl.completed": true,
		"nccl.wait": 0.25, "nccl.wait.start_time": enqueued + 1,
		"nccl.arrival.time.io": 0.5, "nccl.arrival.time.collective_wait": 9.0, "nccl.arrival.time.new_state": 9.0,
		"nccl.arrival.cause": "io", "nccl.arrival.explained": 0.75, "nccl.arrival.summary": "blocked on storage I/O for 500.0 ms",
		"thread.id": 4711, "nccl.group": false,
	})
	link := span.Links().AppendEmpty()
	link.SetTraceID(pcommon.TraceID{9})
	cycle := span.Links().AppendEmpty()
	cycle.SetTraceID(pcommon.TraceID{4})
	cycle.SetSpanID(pcommon.SpanID{5})
	cycle.Attributes().PutStr("stall.link", "dispatch_cycle")
	return span
}

// changed returns a rank's span with some attributes set; nil removes one.
func changed(attributes map[string]any) ptrace.Span {
	span := rankSpan()
	for key, value := range attributes {
		if value == nil {
			span.Attributes().Remove(key)
			continue
		}
		_ = span.Attributes().PutEmpty(key).FromRaw(value)
	}
	return span
}

func read(span ptrace.Span) (Kind, collective.Report) {
	var report collective.Report
	kind := NewReader().Span(&collective.Process{}, span, &report)
	return kind, report
}

func TestSpanIsRead(t *testing.T) {
	process := &collective.Process{HostName: "a"}
	var report collective.Report
	require.Equal(t, Pairable, NewReader().Span(process, rankSpan(), &report))
	want := collective.Report{
		Trace:  pcommon.TraceID{1},
		Parent: pcommon.SpanID{3},
		Key:    collective.Key{Communicator: "c0ffee", Sequence: 7, Size: 8},
		Call:   collective.Call{Operation: collective.Reduce, Root: 1, Count: 1024, Datatype: "float16", Reduction: "sum"},
		Rank: collective.Rank{
			Process: process, Span: pcommon.SpanID{2}, Number: 3,
			Cycle:   collective.Link{Trace: pcommon.TraceID{4}, Span: pcommon.SpanID{5}},
			Flags:   collective.Sampled | collective.HasLedger | collective.HasWait,
			End:     collective.CompletionSeen,
			Enqueue: enqueued, NotBefore: enqueued - 3, Completed: enqueued + 5, WaitStart: enqueued + 1, Wait: 250 * time.Millisecond,
			Ledger:  collective.Ledger{event.LedgerIO: 0.5},
			Arrival: &collective.Arrival{Cause: "io", Explained: 0.75, Summary: "blocked on storage I/O for 500.0 ms"},
		},
	}
	assert.Equal(t, want, report)
}

func TestWhatCannotBePaired(t *testing.T) {
	for name, change := range map[string]map[string]any{
		"no rank":                   {"nccl.rank": nil},
		"negative rank":             {"nccl.rank": -1},
		"rank beyond the size":      {"nccl.rank": 8},
		"rank as text":              {"nccl.rank": "3"},
		"no size":                   {"nccl.communicator.size": nil},
		"no ranks":                  {"nccl.communicator.size": 0},
		"size beyond int32":         {"nccl.communicator.size": 1 << 40},
		"no sequence":               {"nccl.sequence": nil},
		"sequence zero":             {"nccl.sequence": 0},
		"no communicator":           {"nccl.communicator": nil},
		"long communicator":         {"nccl.communicator": strings.Repeat("c", maxIdentifier+1)},
		"no enqueue":                {"nccl.enqueue.time": nil},
		"enqueue before 1970":       {"nccl.enqueue.time": -5},
		"enqueue in the far future": {"nccl.enqueue.time": math.MaxInt64},
		"enqueue in seconds":        {"nccl.enqueue.time": 1.7e9},
		"unknown operation":         {"nccl.operation": "Fly"},
		"operation as number":       {"nccl.operation": 5},
		"no root":                   {"nccl.root": nil},
		"root beyond the size":      {"nccl.root": 8},
		"send without peer":         {"nccl.operation": "Send"},
		"send to itself":            {"nccl.operation": "Send", "nccl.peer": 3},
		"receive from beyond":       {"nccl.operation": "Recv", "nccl.peer": 8},
	} {
		t.Run(name, func(t *testing.T) {
			span := changed(change)
			assert.True(t, Concerns(span))
			kind, _ := read(span)
			assert.Equal(t, Unpairable, kind)
		})
	}
	for name, change := range map[string]func(ptrace.Span){
		"no trace": func(s ptrace.Span) { s.SetTraceID(pcommon.TraceID{}) },
		"no span":  func(s ptrace.Span) { s.SetSpanID(pcommon.SpanID{}) },
	} {
		t.Run(name, func(t *testing.T) {
			span := rankSpan()
			change(span)
			kind, _ := read(span)
			assert.Equal(t, Unpairable, kind)
		})
	}
}

func TestOtherSpansAreForeign(t *testing.T) {
	root := changed(map[string]any{"nccl.rank": nil, "nccl.enqueue.time": nil})
	root.SetName("collective")
	assert.False(t, Concerns(root))
	assert.False(t, Concerns(ptrace.NewSpan()))
	kind, _ := read(changed(map[string]any{"nccl.verdict": "straggler"}))
	assert.Equal(t, Foreign, kind)
}

// TestWhatMakesNoSenseIsLeftOut changes one optional attribute at a time.
func TestWhatMakesNoSenseIsLeftOut(t *testing.T) {
	for name, c := range map[string]struct {
		attributes map[string]any
		check      func(*testing.T, *collective.Report)
	}{
		"completion before the enqueue": {
			map[string]any{"nccl.completion.time": enqueued - 4, "nccl.completed": nil},
			func(t *testing.T, r *collective.Report) {
				assert.Zero(t, r.Rank.Completed)
				assert.Equal(t, collective.CompletionUnknown, r.Rank.End)
			},
		},
		"completion days later": {
			map[string]any{"nccl.completion.time": enqueued + int64(48*time.Hour)},
			func(t *testing.T, r *collective.Report) { assert.Zero(t, r.Rank.Completed) },
		},
		"not complete": {
			map[string]any{"nccl.completion.time": nil, "nccl.completed": false},
			func(t *testing.T, r *collective.Report) { assert.Equal(t, collective.CompletionPending, r.Rank.End) },
		},
		"endless wait":            {map[string]any{"nccl.wait": math.Inf(1)}, noWait},
		"wait that is no number":  {map[string]any{"nccl.wait": math.NaN()}, noWait},
		"negative wait":           {map[string]any{"nccl.wait": -0.5}, noWait},
		"wait without beginning":  {map[string]any{"nccl.wait.start_time": nil}, noWait},
		"wait that began in 1970": {map[string]any{"nccl.wait.start_time": 5}, noWait},
		"wait as whole number":    {map[string]any{"nccl.wait": 5}, noWait},
		"ledger": {
			map[string]any{"nccl.arrival.time.io": math.Inf(1), "nccl.arrival.time.lock": -1.0, "nccl.arrival.time.sleep": 0.25},
			func(t *testing.T, r *collective.Report) {
				assert.Equal(t, collective.Ledger{event.LedgerSleep: 0.25}, r.Rank.Ledger)
			},
		},
		"cause that is a sentence": {
			map[string]any{"nccl.arrival.cause": "It was the disk."},
			func(t *testing.T, r *collective.Report) { assert.Nil(t, r.Rank.Arrival) },
		},
		"share above one": {
			map[string]any{"nccl.arrival.explained": 7.0},
			func(t *testing.T, r *collective.Report) { assert.Zero(t, r.Rank.Arrival.Explained) },
		},
		"long summary": {
			map[string]any{"nccl.arrival.summary": strings.Repeat("é", maxSummary)},
			func(t *testing.T, r *collective.Report) {
				assert.Equal(t, strings.Repeat("é", maxSummary/2), r.Rank.Arrival.Summary)
			},
		},
		"long names": {
			map[string]any{"nccl.datatype": strings.Repeat("d", 1000), "nccl.reduction": strings.Repeat("r", 1000)},
			func(t *testing.T, r *collective.Report) {
				assert.Len(t, r.Call.Datatype, maxIdentifier)
				assert.Len(t, r.Call.Reduction, maxIdentifier)
			},
		},
		"negative count": {
			map[string]any{"nccl.count": -7},
			func(t *testing.T, r *collective.Report) { assert.EqualValues(t, collective.Unknown, r.Call.Count) },
		},
		"root of what has none": {
			map[string]any{"nccl.operation": "AllReduce"},
			func(t *testing.T, r *collective.Report) { assert.EqualValues(t, collective.Unknown, r.Call.Root) },
		},
		"operator of a program": {
			map[string]any{"nccl.reduction": "17"},
			func(t *testing.T, r *collective.Report) { assert.Equal(t, userDefined, r.Call.Reduction) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			kind, report := read(changed(c.attributes))
			require.Equal(t, Pairable, kind)
			c.check(t, &report)
		})
	}
}

// The enqueue lies between a lower bound and the time that is told. Older agents do
// not tell the bound: then it is the start of the call, which is that of the span.
func TestLowerBoundsOfTheEnqueue(t *testing.T) {
	for name, c := range map[string]struct {
		notBefore any
		start     int64
		want      collective.Time
	}{
		"told":                   {enqueued - 3, enqueued - 10, enqueued - 3},
		"of an older agent":      {nil, enqueued - 10, enqueued - 10},
		"unknown":                {nil, 0, 0},
		"later than the enqueue": {enqueued + 1, enqueued - 10, 0},
		"days before":            {enqueued - int64(48*time.Hour), enqueued - 10, 0},
		"negative":               {-5, enqueued - 10, 0},
		"span that starts later": {nil, enqueued + 1, 0},
		"span of the far future": {nil, -1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			span := changed(map[string]any{"nccl.enqueue.not_before": c.notBefore})
			span.SetStartTimestamp(pcommon.Timestamp(c.start))
			kind, report := read(span)
			require.Equal(t, Pairable, kind)
			assert.Equal(t, c.want, report.Rank.NotBefore)
			assert.EqualValues(t, enqueued, report.Rank.Enqueue)
		})
	}
}

func noWait(t *testing.T, r *collective.Report) {
	assert.False(t, r.Rank.Is(collective.HasWait))
	assert.Zero(t, r.Rank.Wait)
}

func TestEndsOfAPairAgree(t *testing.T) {
	_, send := read(changed(map[string]any{"nccl.operation": "Send", "nccl.peer": 5}))
	_, recv := read(changed(map[string]any{"nccl.operation": "Recv", "nccl.rank": 5, "nccl.peer": 3}))
	assert.Equal(t, collective.Pair{Is: true, Source: 3, Destination: 5}, send.Key.Pair)
	assert.Equal(t, send.Key, recv.Key)
}

func TestFailedCall(t *testing.T) {
	span := changed(map[string]any{"error.type": "ncclSystemError"})
	span.Status().SetCode(ptrace.StatusCodeError)
	_, report := read(span)
	assert.True(t, report.Rank.Is(collective.Failed))
	assert.Equal(t, "ncclSystemError", report.Rank.Error)
}

// TestNothingOfTheSpanIsKept changes the span after it was read.
func TestNothingOfTheSpanIsKept(t *testing.T) {
	span := rankSpan()
	attributes := pcommon.NewResource()
	attributes.Attributes().PutStr("host.name", "a")
	r := NewReader()
	process := r.Process(attributes)
	var report collective.Report
	r.Span(process, span, &report)
	before := report
	for _, value := range span.Attributes().All() {
		value.SetStr("changed")
	}
	attributes.Attributes().PutStr("host.name", "changed")
	assert.Equal(t, before, report)
	host, _ := process.Resource.Get("host.name")
	assert.Equal(t, "a", host.Str())
}
