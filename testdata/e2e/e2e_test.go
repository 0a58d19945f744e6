//go:build e2e

package e2e

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/gpucause/gpucause/internal/cmd/tracetree/tree"
)

// chain is the injected cause: a launch waits for a lock, its holder for the disk.
var chain = regexp.MustCompile(`(?s)cudaLaunchKernel.*─ cuLaunchKernel.*─ blocked: futex .*woken by kv-offload.*─ blocked: io .*kv-offload`)

// skew is how a Jaeger tells that it moved a span or doubts it.
const skew = "clock skew"

func TestJaegerHasWhatTheProbesSaw(t *testing.T) {
	j, service := jaeger(fromEnvironment(t, "GPUCAUSE_E2E_JAEGER")), fromEnvironment(t, "GPUCAUSE_E2E_SERVICE")
	written := exported(t, fromEnvironment(t, "GPUCAUSE_E2E_TRACES"))

	require.Contains(t, j.services(t), service, "the name that the traced process gives itself")
	stored := j.traces(t, service)
	require.NotEmpty(t, stored)

	t.Run("the causal chain is told", func(t *testing.T) { chainIsTold(t, stored) })
	t.Run("children lie in their parents", func(t *testing.T) { eachParent(t, stored, childrenInside) })
	t.Run("every span's parent is there", func(t *testing.T) { parentsAreThere(t, stored) })
	t.Run("nothing is moved or warned about", func(t *testing.T) { eachParent(t, stored, noWarning) })
	t.Run("the same spans as in the file", func(t *testing.T) { assert.Equal(t, lines(written, service), lines(stored, service)) })
	t.Run("links are kept", func(t *testing.T) { linksAreKept(t, stored) })
}

func chainIsTold(t *testing.T, traces []*tree.Trace) {
	told := 0
	for _, trace := range traces {
		if text := tree.Print(trace, tree.Style{Width: 200}); chain.MatchString(text) {
			told++
			if told == 1 {
				t.Log("\n" + text)
			}
		}
	}
	// The lock is held over disk I/O about twice a second; how often
	// that makes a stall depends on the disk.
	assert.Positive(t, told)
}

// eachParent calls check for every span.
func eachParent(t *testing.T, traces []*tree.Trace, check func(*testing.T, *tree.Node)) {
	var walk func(*tree.Node)
	walk = func(node *tree.Node) {
		check(t, node)
		for _, child := range node.Children {
			walk(child)
		}
	}
	for _, trace := range traces {
		for _, root := range trace.Roots {
			walk(root)
		}
	}
}

func childrenInside(t *testing.T, parent *tree.Node) {
	for _, child := range parent.Children {
		assert.GreaterOrEqual(t, child.Span.StartTimestamp(), parent.Span.StartTimestamp(), child.Span.Name())
		assert.LessOrEqual(t, child.Span.EndTimestamp(), parent.Span.EndTimestamp(), child.Span.Name())
	}
}

func parentsAreThere(t *testing.T, traces []*tree.Trace) {
	for _, trace := range traces {
		require.Len(t, trace.Roots, 1, trace.ID)
		assert.True(t, trace.Roots[0].Span.ParentSpanID().IsEmpty(), trace.ID)
	}
}

// noWarning looks where the versions of Jaeger keep their warnings: in attributes
// whose names say so ("@jaeger@warnings", "jaeger.internal.warnings").
func noWarning(t *testing.T, node *tree.Node) {
	for key, value := range node.Span.Attributes().All() {
		assert.NotContains(t, strings.ToLower(key), "warning", value.AsString())
		assert.NotContains(t, value.AsString(), skew, key)
	}
}

// lines lists a service's spans with what must not change on the way.
func lines(traces []*tree.Trace, service string) []string {
	var lines []string
	var walk func(*tree.Node)
	walk = func(node *tree.Node) {
		s := node.Span
		lines = append(lines, fmt.Sprintf("%s/%s<%s %s %d-%d", s.TraceID(), s.SpanID(), s.ParentSpanID(), s.Name(), s.StartTimestamp(), s.EndTimestamp()))
		for _, child := range node.Children {
			walk(child)
		}
	}
	for _, trace := range traces {
		if trace.Has(service) {
			for _, root := range trace.Roots {
				walk(root)
			}
		}
	}
	slices.Sort(lines)
	return lines
}

// linksAreKept checks that a root points to the trace before it on its thread,
// and that this trace is there.
func linksAreKept(t *testing.T, traces []*tree.Trace) {
	known := make(map[pcommon.TraceID]bool)
	for _, trace := range traces {
		known[trace.ID] = true
	}
	links, followed := 0, 0
	for _, trace := range traces {
		for _, link := range trace.Roots[0].Span.Links().All() {
			relation, ok := link.Attributes().Get("stall.link")
			require.True(t, ok, "the link's attributes are kept")
			assert.Equal(t, "previous_on_thread", relation.Str())
			links++
			if known[link.TraceID()] {
				followed++
			}
		}
	}
	assert.Positive(t, links)
	assert.Equal(t, links, followed, "links lead to traces that are there")
}
