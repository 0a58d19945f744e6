package probesite

import (
	"bytes"
	"debug/elf"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gpucause/gpucause/internal/probesite/elffixture"
)

func TestFunctionAt(t *testing.T) {
	file := elffixture.Image{
		Machine: elf.EM_X86_64,
		Dynamic: []elffixture.Symbol{
			elffixture.Function("first", 0x90, 0x90, 0xc3),
			elffixture.Function("exported", 0x91, 0x90, 0xc3),
			{Name: "data", Code: []byte{0x92}, Type: elf.STT_OBJECT},
			{Name: "sizeless", Code: []byte{0x93, 0xc3}, Type: elf.STT_FUNC, NoSize: true},
		},
		Local: []elffixture.Symbol{elffixture.Function("_Z4gemmPf", 0x94, 0x90, 0xc3)},
	}.Bytes()
	f, err := openFor(bytes.NewReader(file), int64(len(file)), "amd64")
	require.NoError(t, err)
	for _, tt := range []struct {
		code byte // that the offset is counted from
		into int
		want string
	}{
		{0x91, 0, "exported"}, {0x91, 2, "exported"}, {0x94, 1, "_Z4gemmPf"}, {0x93, 0, "sizeless"},
		{0x93, 1, ""}, {0x92, 0, ""},
	} {
		offset := uint64(bytes.IndexByte(file, tt.code) + tt.into)
		name, err := f.FunctionAt(offset)
		assert.Equal(t, tt.want, name, "%#x+%d", tt.code, tt.into)
		if tt.want == "" {
			require.ErrorIs(t, err, ErrNoSymbol)
		}
	}
	_, err = f.FunctionAt(uint64(len(file)) + 1)
	require.ErrorIs(t, err, ErrNoSymbol)
}
