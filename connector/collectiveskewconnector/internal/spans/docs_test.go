package spans

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/verdict"
)

// TestEveryAttributeIsDocumented looks for what the stories' spans have.
func TestEveryAttributeIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	for _, name := range []string{"hosts-with-a-clock-error", "desynchronized", "missing-rank"} {
		for _, resource := range traces(t, name).ResourceSpans().All() {
			documented(t, string(page), resource.ScopeSpans().At(0).Spans())
		}
	}
	for quality := range verdict.Qualities {
		assert.Contains(t, string(page), "| `"+quality.String()+"` |")
	}
	for kind := range verdict.Kinds {
		assert.Contains(t, string(page), "`"+kind.String()+"`")
	}
	for result := range verdict.Results {
		assert.Contains(t, string(page), "`"+result.String()+"`")
	}
}

func documented(t *testing.T, page string, spans ptrace.SpanSlice) {
	for _, span := range spans.All() {
		for key := range span.Attributes().All() {
			assert.Contains(t, page, "`"+key+"`")
		}
	}
}
