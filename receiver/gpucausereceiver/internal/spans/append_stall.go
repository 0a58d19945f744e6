package spans

import (
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/gpucause/gpucause/internal/causality"
)

// cycleName is the name of the root span of a stall.
const cycleName = "dispatch cycle"

// AppendStall adds the trace of a dispatch cycle to the batch. It returns the
// calls of the dispatcher, by start, the enclosing one first.
func (b *Batch) AppendStall(stall *causality.Stall) []Emitted {
	id := b.builder.stallID(stall)
	w := writer{batch: b, trace: id.trace, end: stall.Cycle.End}
	root, below := w.cycle(stall, &id)
	for _, child := range stall.Children {
		w.interval(child, below)
	}
	trace := told{root: id, from: stall.Cycle.Start, to: stall.Cycle.End}
	w.linkPrevious(root, threadKey{process: stall.Process, tid: stall.Cycle.Task.Thread.TID}, trace)
	if o := stall.Collective; o != nil && meets(o) {
		link(root, b.builder.collectiveID(o), linkCollective)
	}
	return w.emitted
}

func (w *writer) cycle(stall *causality.Stall, id *rootID) (ptrace.Span, place) {
	cycle := &stall.Cycle
	o := owner{process: stall.Process, task: cycle.Task}
	p := part{name: cycleName, start: cycle.Start, end: cycle.End, key: cycleKey(cycle)}
	at := id.place(cycle.Start, cycle.End, &cycle.Span)
	root, below := w.span(o, p, at)
	w.describeStall(root, stall)
	below.active = linkActive(root, &cycle.Span, at)
	return root, below
}

func (w *writer) linkPrevious(root ptrace.Span, key threadKey, trace told) {
	if before, ok := w.batch.builder.previous.swap(key, trace); ok {
		link(root, before.root, linkPrevious)
	}
}
