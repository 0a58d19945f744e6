package measurement

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEveryMetricIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	for _, definition := range definitions {
		assert.Contains(t, string(page), "| `"+definition.name+"` |")
	}
}
