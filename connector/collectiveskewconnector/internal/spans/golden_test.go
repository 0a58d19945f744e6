package spans

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/golden"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/pdatatest/ptracetest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/collective"
	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/scenario"
	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/verdict"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files")

const testdata = "../../testdata"

func TestGolden(t *testing.T) {
	for _, name := range []string{
		"late-with-its-own-cause", "hosts-with-a-clock-error", "hosts-always-late",
		"desynchronized", "missing-rank", "missing-ranks-at-the-first", "pairs", "failed-call",
	} {
		t.Run(name, func(t *testing.T) { checkGolden(t, name) })
	}
}

func checkGolden(t *testing.T, name string) {
	got := traces(t, name)
	path := filepath.Join(testdata, "golden", "spans", name+".yaml")
	if *rewrite {
		require.NoError(t, golden.WriteTracesToFile(path, got))
	}
	want, err := golden.ReadTraces(path)
	require.NoError(t, err)
	require.NoError(t, ptracetest.CompareTraces(want, got))
}

// traces returns the verdict spans of a story, all in one batch.
func traces(t *testing.T, name string) ptrace.Traces {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(testdata, "scenarios", name+".txt"))
	require.NoError(t, err)
	script, _, _ := strings.Cut(string(text), "---\n")
	story, err := scenario.Parse(script)
	require.NoError(t, err)
	batch := NewBatch("0.0.0-test")
	story.Run(func(v *verdict.Verdict) {
		if v.Summary != "" {
			batch.Append(v)
		}
	})
	return batch.Traces()
}

func TestSpanIDsAreOfTheirTrace(t *testing.T) {
	a, b := SpanID(pcommon.TraceID{1}), SpanID(pcommon.TraceID{2})
	assert.NotEqual(t, a, b)
	assert.Equal(t, a, SpanID(pcommon.TraceID{1}))
	assert.False(t, a.IsEmpty())
}

func TestTheSpanIsInTheTraceOfItsCollective(t *testing.T) {
	verdictSpan := traces(t, "late-with-its-own-cause").ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
	story, err := scenario.Parse("host a\ncollective #7 AllReduce size=4\nrank 3 a 41.2ms")
	require.NoError(t, err)
	rankSpan := story.Steps[0].Traces.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
	assert.Equal(t, rankSpan.TraceID(), verdictSpan.TraceID())
	assert.Equal(t, rankSpan.ParentSpanID(), verdictSpan.ParentSpanID())
	assert.Equal(t, rankSpan.SpanID(), verdictSpan.Links().At(0).SpanID())
	assert.Equal(t, rankSpan.Links().At(0).TraceID(), verdictSpan.Links().At(1).TraceID(), "the dispatch cycle")
	assert.Equal(t, rankSpan.StartTimestamp(), verdictSpan.EndTimestamp(), "from the first to the straggler")
}

func TestAForgottenProcessIsStillNamed(t *testing.T) {
	process := &collective.Process{HostName: "a", HostID: "1", PID: 5, Resource: pcommon.NewMap()}
	attributes := pcommon.NewMap()
	putProcess(attributes, process)
	assert.Equal(t, map[string]any{"host.name": "a", "host.id": "1", "process.pid": int64(5)}, attributes.AsRaw())
	process.Resource.PutStr("service.name", "trainer")
	attributes = pcommon.NewMap()
	putProcess(attributes, process)
	assert.Equal(t, map[string]any{"service.name": "trainer"}, attributes.AsRaw())
}
