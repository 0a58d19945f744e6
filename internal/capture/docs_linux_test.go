//go:build amd64 || arm64

package capture

import (
	"fmt"
	"os"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gpucause/gpucause/bpf"
)

// TestMemoryIsDocumented compares what docs/overhead.md says of the size of a map's
// entries with the maps.
func TestMemoryIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/overhead.md")
	require.NoError(t, err)
	page := string(text)
	spec, err := bpf.LoadGpucause()
	require.NoError(t, err)
	for name, m := range spec.Maps {
		switch value := m.ValueSize; {
		case m.Type == ebpf.Hash:
			assert.Regexp(t, fmt.Sprintf("\\| `%s` \\| %d [(*×]", name, 48+aligned(m.KeySize)+aligned(value)), page)
		case m.Type == ebpf.Array && m.MaxEntries > 1:
			assert.Regexp(t, fmt.Sprintf("\\| `%s` \\| %d \\(", name, value), page)
		case m.Type == ebpf.TaskStorage:
			assert.Contains(t, page, fmt.Sprintf("in `%s` %d bytes", name, value))
		}
	}
	slots := fmt.Sprintf("| %d (256 + *S*) + %d (2 + *T*)", spec.Maps["series"].ValueSize, spec.Maps["stats_slots"].ValueSize)
	assert.Contains(t, page, slots)
}

// aligned is what the Linux kernel makes of the size of a key or value.
func aligned(size uint32) uint32 { return (size + 7) / 8 * 8 }
