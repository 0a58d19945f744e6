package threadcontext

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFindEntry(t *testing.T) {
	var raw []byte
	for _, word := range []uint64{3, 0x400040, entryTag, 0x401000, 0, 0} {
		raw = binary.NativeEndian.AppendUint64(raw, word)
	}
	entry, err := findEntry(raw)
	require.NoError(t, err)
	assert.Equal(t, uint64(0x401000), entry)
	_, err = findEntry(raw[:16])
	require.ErrorIs(t, err, errNoEntry)
	_, err = findEntry(raw[:24])
	require.ErrorIs(t, err, errNoEntry)
}
