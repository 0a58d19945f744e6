package tree

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Print returns the trace as text: the sentence ([Trace.Summary]), a line that tells
// where it happened, and the tree, each span with its offset from the root's
// start and its duration in milliseconds.
func Print(t *Trace, style Style) string {
	p := printer{style: style}
	for _, root := range t.Roots {
		p.root(t, root)
	}
	return p.out.String()
}

// Sentence returns the trace's sentence as an item of a list.
func Sentence(t *Trace, style Style) string {
	const bullet, indent = "- ", "  "
	return bullet + strings.Join(wrap(t.Summary(), style.width()-len(bullet)), "\n"+indent) + "\n"
}

// row is one line of the tree before its columns are known.
type row struct {
	offset, duration, guide, name string
	below                         string // the guide of lines that continue this one
	details                       []string
	stack                         []string
	colour                        colour
}

type printer struct {
	style Style
	out   strings.Builder
	rows  []row
	start time.Time // of the root
}

func (p *printer) root(t *Trace, root *Node) {
	p.rows, p.start = nil, root.Span.StartTimestamp().AsTime()
	for _, line := range wrap(summary([]*Node{root}), p.style.width()) {
		fmt.Fprintln(&p.out, p.style.paint(bold, line))
	}
	where := fmt.Sprintf("trace %s at %s", t.ID, p.start.Format("15:04:05.000"))
	fmt.Fprintf(&p.out, "%s\n\n", p.style.paint(faint, where))
	p.node(entry{node: root}, nil, "", "")
	p.flush()
}

// node adds the rows of a node and of all below it. Guide is what stands
// before its name, below what stands before those of its children.
func (p *printer) node(e entry, parent *Node, guide, below string) {
	if e.more > 0 {
		p.rows = append(p.rows, row{
			guide: guide, below: below, duration: milliseconds(e.total), colour: faint,
			name: fmt.Sprintf("%d more %s", e.more, e.node.Span.Name()),
		})
		return
	}
	p.rows = append(p.rows, p.row(e.node, parent, guide, below))
	entries := fold(e.node.Children, p.style.keep())
	for i, child := range entries {
		if i < len(entries)-1 {
			p.node(child, e.node, below+"├─ ", below+"│  ")
		} else {
			p.node(child, e.node, below+"└─ ", below+"   ")
		}
	}
}

func (p *printer) row(node, parent *Node, guide, below string) row {
	r := row{
		offset:   "+" + milliseconds(node.Span.StartTimestamp().AsTime().Sub(p.start)),
		duration: milliseconds(node.Duration()),
		guide:    guide, name: node.Span.Name(), below: below + "   ",
		colour: colourOf(node),
	}
	if len(node.Children) > 0 {
		r.below = below + "│  "
	}
	r.details = append(r.details, location(node, parent)...)
	for _, show := range details {
		if shown := show(node.Span.Attributes()); shown != "" {
			r.details = append(r.details, shown)
		}
	}
	if p.style.Stacks {
		r.stack = stack(node.Span.Attributes())
	}
	return r
}

// location names thread and process where they are not the parent's.
func location(node, parent *Node) []string {
	var words []string
	attributes := node.Span.Attributes()
	if _, ok := attributes.Get(attrThreadID); ok && (parent == nil || parent.thread() != node.thread()) {
		words = append(words, taskName(text(attributes, attrThreadName), integer(attributes, attrThreadID)))
	}
	if _, ok := node.Resource.Get(attrPID); ok && (parent == nil || parent.thread().pid != node.thread().pid) {
		words = append(words, processName(node))
	}
	return words
}

func processName(node *Node) string {
	pid := fmt.Sprintf("pid %d", integer(node.Resource, attrPID))
	if service := text(node.Resource, attrServiceName); service != "" {
		return fmt.Sprintf("of %s (%s)", service, pid)
	}
	return "of " + pid
}

// flush writes the rows with their columns aligned.
func (p *printer) flush() {
	var offsets, durations, names int
	for _, r := range p.rows {
		offsets = max(offsets, utf8.RuneCountInString(r.offset))
		durations = max(durations, utf8.RuneCountInString(r.duration))
		names = max(names, utf8.RuneCountInString(r.guide+r.name))
	}
	for _, r := range p.rows {
		p.line(r, offsets, durations, names)
	}
}

// line writes a row, and below it the details that the width has no room for.
func (p *printer) line(r row, offsets, durations, names int) {
	times := fmt.Sprintf("%*s  %*s ms  ", offsets, r.offset, durations, r.duration)
	padding := strings.Repeat(" ", names-utf8.RuneCountInString(r.guide+r.name))
	room := p.style.width() - len(times) - names - 2
	lines := fill(r.details, room)
	first := ""
	if len(lines) > 0 {
		first = padding + "  " + lines[0]
	}
	fmt.Fprintf(&p.out, "%s%s%s%s\n", p.style.paint(faint, times), r.guide, p.style.paint(r.colour, r.name), first)
	margin := strings.Repeat(" ", len(times))
	for _, line := range lines[min(1, len(lines)):] {
		gap := strings.Repeat(" ", max(2, names-utf8.RuneCountInString(r.below)+2))
		fmt.Fprintf(&p.out, "%s%s%s%s\n", margin, r.below, gap, line)
	}
	for _, frame := range r.stack {
		fmt.Fprintf(&p.out, "%s%s%s\n", margin, r.below, p.style.paint(faint, "  at "+frame))
	}
}

// milliseconds returns d in milliseconds, with two decimals where they say something.
func milliseconds(d time.Duration) string {
	switch ms := float64(d) / float64(time.Millisecond); {
	case d > 0 && ms < 0.01:
		return "<0.01"
	case ms >= 10000:
		return fmt.Sprintf("%.0f", ms)
	default:
		return fmt.Sprintf("%.2f", ms)
	}
}
