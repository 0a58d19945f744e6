package gpucausereceiver

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/gpucause/gpucause/internal/cmd/tracetree/tree"
)

// A stall is noise when it is shorter than noiseFloor or than noiseRatio times
// what is typical of its thread: a machine that others use, too, makes such.
const (
	noiseFloor = 20 * time.Millisecond
	noiseRatio = 5
)

// nothing stands for a cause where no stall is told.
const nothing = "none"

// toldStall is one stall trace.
type toldStall struct {
	pid      int64
	parent   int64  // the process's
	thread   string // comm
	cause    string
	summary  string
	text     string // the whole trace as a tree
	duration time.Duration
	typical  time.Duration
	ledger   time.Duration // the sum of its states
	takers   []string      // who had the CPU while the dispatcher was without
}

// stallOf returns false for traces that are of no slow cycle.
func stallOf(trace *tree.Trace) (toldStall, bool) {
	root := trace.Roots[0]
	if root.Span.Name() != "dispatch cycle" || attr(root.Span, "stall.kind") != "stall" {
		return toldStall{}, false
	}
	pid, _ := root.Resource.Get("process.pid")
	parent, _ := root.Resource.Get("process.parent_pid")
	typical, _ := root.Span.Attributes().Get("dispatch.typical_duration")
	stall := toldStall{
		pid:      pid.Int(),
		parent:   parent.Int(),
		thread:   attr(root.Span, "thread.name"),
		cause:    attr(root.Span, "stall.cause"),
		summary:  attr(root.Span, "stall.summary"),
		text:     tree.Print(trace, tree.Style{Width: 200}),
		duration: root.Duration(),
		typical:  time.Duration(typical.Double() * float64(time.Second)),
	}
	for key, value := range root.Span.Attributes().All() {
		if strings.HasPrefix(key, "dispatch.time.") {
			stall.ledger += time.Duration(value.Double() * float64(time.Second))
		}
	}
	eachSpan(root, func(span ptrace.Span) {
		if taker := attr(span, "off_cpu.preemptor.comm"); taker != "" && attr(span, "thread.id") == attr(root.Span, "thread.id") {
			stall.takers = append(stall.takers, taker)
		}
	})
	return stall, true
}

func eachSpan(node *tree.Node, visit func(ptrace.Span)) {
	visit(node.Span)
	for _, child := range node.Children {
		eachSpan(child, visit)
	}
}

// noise reports whether the stall is too short to count against a story.
func (s *toldStall) noise() bool {
	return s.duration < noiseFloor || s.duration < noiseRatio*s.typical
}

// fromOutside reports whether the stall is, by its own words, a lack of CPU for
// which a process that is not part of the story is to blame.
func (s *toldStall) fromOutside(story *workloadStory) bool {
	return s.cause == "cpu_contention" && slices.ContainsFunc(s.takers, func(taker string) bool {
		return !slices.Contains(story.cast, taker) && strings.Contains(s.summary, " "+taker+" (")
	})
}

// lostToOthers is how long stalls lasted that are processes' doing which are not part of the story.
func lostToOthers(story *workloadStory, stalls []toldStall) time.Duration {
	var lost time.Duration
	for i := range stalls {
		if stalls[i].fromOutside(story) {
			lost += stalls[i].duration
		}
	}
	return lost
}

// verdict is the cause with the most stall time. What is another process's doing
// by its own words is not the story's; of a story without a cause only what is no noise counts.
func verdict(story *workloadStory, stalls []toldStall) string {
	total := map[string]time.Duration{}
	for i := range stalls {
		if stalls[i].fromOutside(story) || story.cause == nothing && stalls[i].noise() {
			continue
		}
		total[stalls[i].cause] += stalls[i].duration
	}
	if len(total) == 0 {
		return nothing
	}
	return slices.MaxFunc(slices.Sorted(maps.Keys(total)), func(a, b string) int { return cmp.Compare(total[a], total[b]) })
}

// list is for a person to read when a test fails.
func list(stalls []toldStall) string {
	var lines strings.Builder
	for i := range stalls {
		s := &stalls[i]
		fmt.Fprintf(&lines, "\n%-18s %8s (typical %s)  %s", s.cause, s.duration.Round(10*time.Microsecond), s.typical.Round(10*time.Microsecond), s.summary)
	}
	return lines.String()
}
