package measurement

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gpucause/gpucause/internal/event"
)

func TestEveryMetricIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../../../docs/telemetry.md")
	require.NoError(t, err)
	for _, definition := range definitions {
		assert.Contains(t, string(page), "| `"+definition.name+"` |")
	}
	for reason := range event.Reasons {
		assert.Contains(t, string(page), reason.String())
	}
	for state := range event.LedgerStates {
		assert.Contains(t, string(page), "| `"+state.String()+"` |")
	}
}
