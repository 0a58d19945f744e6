package ncclmemory

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// As NCCL 2.22.3 computes it: bytes from 0x80 on are negative.
func TestHashOfBytesWithASign(t *testing.T) {
	assert.Equal(t, uint64(5381*33^0x7f), hashOf([]byte{0x7f}))
	assert.Equal(t, ^uint64(5381*33), hashOf([]byte{0xff}))
}
