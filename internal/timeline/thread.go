package timeline

import (
	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
)

// thread is what is known of one thread. When the Linux kernel reuses its
// numbers, the next thread continues the history: an instant tells them apart.
type thread struct {
	id      event.Thread
	seen    ktime.Time // end of the latest record
	exited  bool
	history history
	waiting []part // records whose enclosing call's record has not come yet, in order of arrival
	held    int    // records in waiting, those inside nodes included
	cycles  heldBack
}

// part is a call with its subtree, or an off-CPU interval.
type part struct {
	parent     uint64
	start, end ktime.Time
	node       *Node
	offCPU     *event.OffCPU
	records    int // that the part holds
}

func callPart(node *Node, records int) part {
	return part{parent: node.Call.Parent, start: node.Call.Start, end: node.Call.End, node: node, records: records}
}

func offCPUPart(o *event.OffCPU) part {
	return part{parent: o.Call, start: o.Start, end: o.End, offCPU: o, records: 1}
}

// inside reports whether call encloses p: its record says so; or p's direct
// parent was entered after call, and p lies within call, so that the parent is
// nested in it.
func (p *part) inside(call *event.Call) bool {
	return p.parent == call.ID ||
		p.parent > call.ID && p.start >= call.Start && p.end <= call.End
}

// collect moves what node's call encloses from waiting into node, and returns
// the number of records that node then holds.
func (th *thread) collect(node *Node) int {
	records, kept := 1, th.waiting[:0]
	for _, p := range th.waiting {
		if !p.inside(node.Call) {
			kept = append(kept, p)
			continue
		}
		node.take(p)
		records += p.records
		th.held -= p.records
	}
	clear(th.waiting[len(kept):])
	th.waiting = kept
	return records
}

func (n *Node) take(p part) {
	if p.parent != n.Call.ID {
		n.Missing++
	}
	if p.node != nil {
		n.Children = append(n.Children, p.node)
		return
	}
	n.OffCPU = append(n.OffCPU, p.offCPU)
}

func (th *thread) wait(p part) {
	th.waiting = append(th.waiting, p)
	th.held += p.records
}

// takeWaiting empties waiting of what ended before cutoff.
func (th *thread) takeWaiting(cutoff ktime.Time) []part {
	var taken []part
	kept := th.waiting[:0]
	for _, p := range th.waiting {
		if p.end >= cutoff {
			kept = append(kept, p)
			continue
		}
		taken = append(taken, p)
		th.held -= p.records
	}
	clear(th.waiting[len(kept):])
	th.waiting = kept
	return taken
}
