package intake

import (
	"math"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/collective"
)

// Kind is what a span turned out to be.
type Kind uint8

// Kinds of spans.
const (
	Foreign    Kind = iota // no rank's part in a collective, but a verdict
	Unpairable             // one that says too little, or nonsense, to be paired
	Pairable
)

// Concerns reports whether a span may be a rank's part in a collective.
func Concerns(span ptrace.Span) bool {
	if span.Name() == rootName {
		return false
	}
	_, ok := span.Attributes().Get(attrOperation)
	return ok
}

// Span reads a span of process, which [Concerns], into report. Only what is Pairable
// is a report.
func (r *Reader) Span(process *collective.Process, span ptrace.Span, report *collective.Report) Kind {
	f := r.read(span.Attributes())
	if f.own {
		return Foreign
	}
	f.bound(span)
	operation := collective.ParseOperation(f.operation)
	if !f.identified(operation) || span.TraceID().IsEmpty() || span.SpanID().IsEmpty() {
		return Unpairable
	}
	*report = collective.Report{
		Trace:  span.TraceID(),
		Parent: span.ParentSpanID(),
		Key: collective.Key{
			Communicator: r.intern(f.communicator),
			Sequence:     f.sequence,
			Size:         int32(f.size),
		},
		Call: r.call(f, operation),
		Rank: r.rank(f, process),
	}
	report.Rank.Span = span.SpanID()
	report.Rank.Cycle = cycleOf(span.Links())
	if span.Status().Code() == ptrace.StatusCodeError {
		report.Rank.Flags |= collective.Failed
		report.Rank.Error = r.intern(cut(f.errorType, maxIdentifier))
	}
	if operation.Dependency() == collective.Pairwise {
		return pair(f, operation, report)
	}
	return Pairable
}

// bound finds a lower bound of the enqueue. Where the span does not tell it, its own
// start is one: that of the call which asked for the operation.
func (f *fields) bound(span ptrace.Span) {
	if f.notBefore == 0 {
		f.notBefore = int64(min(span.StartTimestamp(), latest))
	}
	if f.notBefore > f.enqueue || !near(f.notBefore, f.enqueue) {
		f.notBefore = 0
	}
}

// earliest is when the rank enqueued at the earliest, as far as can be told.
func (f *fields) earliest() int64 {
	if f.notBefore == 0 {
		return f.enqueue
	}
	return f.notBefore
}

// identified reports whether f says which part of which collective it is.
func (f *fields) identified(operation collective.Operation) bool {
	rooted := f.root >= 0 && f.root < f.size
	return operation != collective.OperationUnknown && (rooted || !operation.Rooted()) &&
		f.communicator != "" && len(f.communicator) <= maxIdentifier &&
		f.size >= 1 && f.size <= math.MaxInt32 && f.rank >= 0 && f.rank < f.size &&
		f.sequence >= 1 && f.enqueue > 0 && f.enqueue < latest
}

// pair names the ends of a send or receive. A rank that sends to itself waits for
// nobody.
func pair(f *fields, operation collective.Operation, report *collective.Report) Kind {
	if f.peer < 0 || f.peer >= f.size || f.peer == f.rank {
		return Unpairable
	}
	report.Key.Pair = collective.Pair{Is: true, Source: int32(f.rank), Destination: int32(f.peer)}
	if operation == collective.Recv {
		report.Key.Pair = collective.Pair{Is: true, Source: int32(f.peer), Destination: int32(f.rank)}
	}
	return Pairable
}

func (r *Reader) call(f *fields, operation collective.Operation) collective.Call {
	call := collective.Call{Operation: operation, Root: collective.Unknown, Count: collective.Unknown}
	if operation.Rooted() {
		call.Root = int32(f.root)
	}
	if f.count >= 0 {
		call.Count = f.count
	}
	call.Datatype = r.intern(cut(f.datatype, maxIdentifier))
	call.Reduction = r.intern(reduction(cut(f.reduction, maxIdentifier)))
	return call
}

// userDefined stands for the numbers of operations that programs create: they are
// each rank's own, so that they cannot be compared.
const userDefined = "user-defined"

func reduction(name string) string {
	if name != "" && strings.Trim(name, "0123456789") == "" {
		return userDefined
	}
	return name
}

func (r *Reader) rank(f *fields, process *collective.Process) collective.Rank {
	rank := collective.Rank{
		Process:   process,
		Number:    int32(f.rank),
		Enqueue:   collective.Time(f.enqueue),
		NotBefore: collective.Time(f.notBefore),
		End:       f.end,
		Ledger:    f.ledger,
		Arrival:   r.arrival(f),
	}
	if f.quality == qualityLowerBound {
		rank.Flags |= collective.LowerBound
	}
	if f.sampled {
		rank.Flags |= collective.Sampled
	}
	if f.hasLedger {
		rank.Flags |= collective.HasLedger
	}
	if f.completion >= f.earliest() && near(f.completion, f.enqueue) {
		rank.Completed, rank.End = collective.Time(f.completion), collective.CompletionSeen
	}
	if plausible(f.wait) && near(f.waitStart, f.enqueue) {
		rank.Flags |= collective.HasWait
		rank.WaitStart, rank.Wait = collective.Time(f.waitStart), time.Duration(f.wait*float64(time.Second))
	}
	return rank
}

// arrival returns what the rank's host says of a late arrival, nil where it says
// nothing.
func (r *Reader) arrival(f *fields) *collective.Arrival {
	if !identifier(f.cause) {
		return nil
	}
	return &collective.Arrival{
		Cause:     r.intern(f.cause),
		Summary:   strings.Clone(cut(f.summary, maxSummary)),
		Explained: f.explained,
	}
}

// identifier reports whether text is a name such as cpu_contention.
func identifier(text string) bool {
	return text != "" && len(text) <= maxIdentifier && strings.Trim(text, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

// cut returns text with at most limit bytes, in whole characters.
func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "")
}

func cycleOf(links ptrace.SpanLinkSlice) collective.Link {
	for i := range links.Len() {
		link := links.At(i)
		relation, ok := link.Attributes().Get(attrLink)
		if ok && relation.Str() == linkCycle {
			return collective.Link{Trace: link.TraceID(), Span: link.SpanID()}
		}
	}
	return collective.Link{}
}
