package tree_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/gpucause/gpucause/internal/cmd/tracetree/tree"
)

func TestCollectFindsRootsDepthAndTimes(t *testing.T) {
	s := chain()
	traces := tree.Collect(s.traces, s.traces) // exported twice

	require.Len(t, traces, 1)
	assert.Len(t, traces[0].Roots, 1)
	assert.Equal(t, 3, traces[0].Depth())
	assert.Equal(t, 13100*time.Microsecond, traces[0].Duration())
	assert.Equal(t, 12600*time.Microsecond, traces[0].OffCPU(), "of its own thread only")
	assert.Contains(t, traces[0].Summary(), "took 13.1 ms")
}

func TestCollectMakesSpansWithoutTheirParentRoots(t *testing.T) {
	s := newStory()
	s.span(2, 9, "late", 5*time.Millisecond, 6*time.Millisecond)
	s.span(1, 8, "early", 0, time.Millisecond)

	roots := tree.Collect(s.traces)[0].Roots
	require.Len(t, roots, 2)
	assert.Equal(t, "early", roots[0].Span.Name())
}

// The sentence of a collective is the verdict's, which is below the root.
func TestSummaryMayBeBelowTheRoot(t *testing.T) {
	s := newStory()
	s.span(1, 0, "collective", 0, 9*time.Millisecond)
	s.span(2, 1, "ncclAllReduce", 0, 8*time.Millisecond)
	s.span(3, 1, "collective verdict", 0, 7*time.Millisecond).PutStr("stall.summary", "rank 2 arrived late")
	assert.Equal(t, "rank 2 arrived late", tree.Collect(s.traces)[0].Summary())
}

func TestReadLeavesOutAnUnfinishedLine(t *testing.T) {
	line, err := (&ptrace.JSONMarshaler{}).MarshalTraces(chain().traces)
	require.NoError(t, err)

	batches, err := tree.Read(strings.NewReader(string(line) + "\n\n" + string(line[:50])))
	require.NoError(t, err)
	require.Len(t, batches, 1)
	assert.Equal(t, 4, batches[0].SpanCount())
}

func TestReadNamesTheBadLine(t *testing.T) {
	_, err := tree.Read(strings.NewReader("{}\n{\n"))
	assert.ErrorContains(t, err, "line 2")
}
