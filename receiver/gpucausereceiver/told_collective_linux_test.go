package gpucausereceiver

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/gpucause/gpucause/internal/cmd/tracetree/tree"
)

// toldRank is the span of one rank of a collective.
type toldRank struct {
	rank        int
	pid         int64
	operation   string
	start, end  time.Time
	enqueued    time.Time
	wait, peer  time.Duration
	knowsPeer   bool
	completed   bool
	sampled     bool
	arrival     string // cause
	arrivalText string
	communicator
	sequence int64
	bytes    int64
}

// communicator is what a span says of it.
type communicator struct {
	key  string
	size int64
}

// toldCollective is the trace of a collective: its ranks in the order of their
// arrival.
type toldCollective struct {
	trace pcommon.TraceID
	ranks []toldRank
}

// rankPattern is how story scripts name the threads of ranks.
var rankPattern = regexp.MustCompile(`^(.*)-(\d+)$`)

// castRank is the rank that a comm of the story's cast is of.
func castRank(story, comm string) (int, bool) {
	match := rankPattern.FindStringSubmatch(comm)
	if match == nil || match[1] != story {
		return 0, false
	}
	rank, err := strconv.Atoi(match[2])
	return rank, err == nil
}

// collectivesOf returns the collectives of a story's ranks.
func collectivesOf(story string, traces []*tree.Trace) []toldCollective {
	var told []toldCollective
	for _, trace := range traces {
		root := trace.Roots[0]
		if root.Span.Name() != "collective" {
			continue
		}
		c := toldCollective{trace: root.Span.TraceID()}
		for _, child := range root.Children {
			if _, ok := castRank(story, attr(child.Span, "thread.name")); ok {
				c.ranks = append(c.ranks, rankOf(child))
			}
		}
		if len(c.ranks) > 0 {
			slices.SortFunc(c.ranks, func(a, b toldRank) int { return a.enqueued.Compare(b.enqueued) })
			told = append(told, c)
		}
	}
	return told
}

func rankOf(node *tree.Node) toldRank {
	span := node.Span
	pid, _ := node.Resource.Get("process.pid")
	_, knows := span.Attributes().Get("nccl.wait.peer")
	return toldRank{
		rank:        int(number(span, "nccl.rank", -1)),
		pid:         pid.Int(),
		operation:   attr(span, "nccl.operation"),
		start:       span.StartTimestamp().AsTime(),
		end:         span.EndTimestamp().AsTime(),
		enqueued:    time.Unix(0, number(span, "nccl.enqueue.time", 0)),
		wait:        seconds(span, "nccl.wait"),
		peer:        seconds(span, "nccl.wait.peer"),
		knowsPeer:   knows,
		completed:   attr(span, "nccl.completed") == "true",
		sampled:     attr(span, "nccl.sampled") == "true",
		arrival:     attr(span, "nccl.arrival.cause"),
		arrivalText: attr(span, "nccl.arrival.summary"),

		communicator: communicator{attr(span, "nccl.communicator"), number(span, "nccl.communicator.size", -1)},
		sequence:     number(span, "nccl.sequence", 0),
		bytes:        number(span, "nccl.size", 0),
	}
}

func number(span ptrace.Span, key string, otherwise int64) int64 {
	if value, ok := span.Attributes().Get(key); ok {
		return value.Int()
	}
	return otherwise
}

func seconds(span ptrace.Span, key string) time.Duration {
	value, _ := span.Attributes().Get(key)
	return time.Duration(value.Double() * float64(time.Second))
}

// complete reports whether all ranks are there: all of the communicator, or who
// sends and who receives.
func (c *toldCollective) complete() bool {
	first := &c.ranks[0]
	if first.operation == "Send" || first.operation == "Recv" {
		return len(c.ranks) == 2
	}
	return int64(len(c.ranks)) == first.size
}

func (c *toldCollective) sequence() int64 { return c.ranks[0].sequence }

// skew is between the first and the last arrival.
func (c *toldCollective) skew() time.Duration {
	return c.last().enqueued.Sub(c.ranks[0].enqueued)
}

func (c *toldCollective) last() *toldRank { return &c.ranks[len(c.ranks)-1] }

// String is for a person to read when a test fails.
func (c *toldCollective) String() string {
	var out strings.Builder
	first := &c.ranks[0]
	fmt.Fprintf(&out, "\n%s #%d of %s:", first.operation, first.sequence, first.key)
	for i := range c.ranks {
		r := &c.ranks[i]
		fmt.Fprintf(&out, " rank %d +%s (wait %s, peer %s) %s", r.rank, r.enqueued.Sub(first.enqueued), r.wait, r.peer, r.arrival)
		if !r.completed {
			out.WriteString(" not completed")
		}
	}
	return out.String()
}
