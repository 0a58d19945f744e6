package probesite

import (
	"bytes"
	"debug/elf"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gpucause/gpucause/internal/probesite/elffixture"
)

const contextName = "otel_thread_ctx_v1"

// withThreadLocal is a file in which the variable is the third symbol, at 24 of its block.
func withThreadLocal(machine elf.Machine, relocations ...elffixture.Relocation) elffixture.Image {
	return elffixture.Image{
		Machine: machine,
		Dynamic: []elffixture.Symbol{
			{Name: contextName, Type: elf.STT_TLS}, // not defined here
			{Name: "other", Type: elf.STT_TLS, Value: 16},
			{Name: contextName, Type: elf.STT_TLS, Value: 24},
			elffixture.Function("function", 0x90),
		},
		ThreadLocal: elffixture.ThreadLocal{Addr: 0x18080, Size: 0x48, Align: 16},
		Relocations: relocations,
	}
}

func threadLocal(t *testing.T, image elffixture.Image, arch string) (*ThreadLocal, error) {
	t.Helper()
	raw := image.Bytes()
	f, err := openFor(bytes.NewReader(raw), int64(len(raw)), arch)
	require.NoError(t, err)
	return f.ThreadLocal(contextName)
}

func TestThreadLocal(t *testing.T) {
	kinds := map[string]struct {
		machine                    elf.Machine
		offset, descriptor, module uint32
		program                    int64
	}{
		"amd64": {elf.EM_X86_64, uint32(elf.R_X86_64_TPOFF64), uint32(elf.R_X86_64_TLSDESC), uint32(elf.R_X86_64_DTPMOD64), 24 - 0x50},
		"arm64": {elf.EM_AARCH64, uint32(elf.R_AARCH64_TLS_TPREL64), uint32(elf.R_AARCH64_TLSDESC), uint32(elf.R_AARCH64_TLS_DTPMOD64), 24 + 16},
	}
	for arch, k := range kinds {
		t.Run(arch, func(t *testing.T) {
			local, err := threadLocal(t, withThreadLocal(k.machine,
				elffixture.Relocation{Addr: 0x1000, Symbol: 2, Type: k.descriptor}, // of another variable
				elffixture.Relocation{Addr: 0x1010, Symbol: 3, Type: k.descriptor},
				elffixture.Relocation{Addr: 0x1020, Symbol: 3, Type: k.offset},
				elffixture.Relocation{Addr: 0x1030, Symbol: 3, Type: k.module},
				elffixture.Relocation{Addr: 0x1040, Type: k.descriptor, Addend: 24},
				elffixture.Relocation{Addr: 0x1050, Type: k.descriptor, Addend: 16}, // of another variable
				elffixture.Relocation{Addr: 0x1060, Type: k.module},
				elffixture.Relocation{Addr: 0x1070, Symbol: 3, Type: 1},
				elffixture.Relocation{Addr: 0x1080, Symbol: 3, Type: k.offset, Addend: 8}, // within the variable
			), arch)
			require.NoError(t, err)
			assert.Equal(t, &ThreadLocal{
				Offset: 24, Program: uint64(k.program),
				Slots: []Slot{
					{SlotDescriptor, 0x1010}, {SlotOffset, 0x1020}, {SlotModule, 0x1030}, {SlotDescriptor, 0x1040}, {SlotOwnModule, 0x1060},
				},
			}, local)
		})
	}
}

func TestBlockOfTheProgramKeepsItsAlignment(t *testing.T) {
	for _, test := range []struct {
		arch    string
		segment tlsSegment
		want    int64
	}{
		{"amd64", tlsSegment{addr: 0x1000, size: 8, align: 8}, -8},
		{"amd64", tlsSegment{addr: 0x1000, size: 9, align: 8}, -16},
		{"amd64", tlsSegment{addr: 0x1010, size: 0x20, align: 64}, -0x30}, // at 0x10 of an aligned block
		{"amd64", tlsSegment{addr: 0x1000, size: 100, align: 1}, -100},
		{"arm64", tlsSegment{addr: 0x1000, size: 8, align: 8}, 16},
		{"arm64", tlsSegment{addr: 0x1000, size: 8, align: 64}, 64},
		{"arm64", tlsSegment{addr: 0x1008, size: 8, align: 64}, 72},
	} {
		assert.Equal(t, test.want, int64(test.segment.fixedOffset(test.arch)), "%+v", test)
	}
}

func TestNoThreadLocal(t *testing.T) {
	without := withThreadLocal(elf.EM_X86_64)
	without.Dynamic = without.Dynamic[:2]
	_, err := threadLocal(t, without, "amd64")
	require.ErrorIs(t, err, ErrNoSymbol)

	without = withThreadLocal(elf.EM_X86_64)
	without.ThreadLocal = elffixture.ThreadLocal{}
	_, err = threadLocal(t, without, "amd64")
	require.ErrorIs(t, err, ErrNoSymbol)

	_, err = threadLocal(t, elffixture.Image{Machine: elf.EM_X86_64, ThreadLocal: elffixture.ThreadLocal{Size: 8}}, "amd64")
	require.ErrorIs(t, err, ErrNoSymbol)
}

func TestLoadedAt(t *testing.T) {
	f := &File{segments: []segment{{addr: 0x11234, offset: 0x1234, size: 0x3000}}}
	base, ok := f.LoadedAt(0x7f0000001000, 0x1000)
	require.True(t, ok)
	assert.Equal(t, uint64(0x7f0000001000-0x11000), base)
	_, ok = f.LoadedAt(0x7f0000001000, 0x9000)
	assert.False(t, ok)
}

func FuzzThreadLocal(f *testing.F) {
	f.Add(withThreadLocal(elf.EM_X86_64, elffixture.Relocation{Addr: 0x1010, Symbol: 3, Type: uint32(elf.R_X86_64_TLSDESC)}).Bytes())
	f.Add(withThreadLocal(elf.EM_AARCH64, elffixture.Relocation{Addr: 0x1010, Type: uint32(elf.R_AARCH64_TLS_DTPMOD64)}).Bytes())
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, arch := range []string{"amd64", "arm64"} {
			file, err := openFor(bytes.NewReader(raw), int64(len(raw)), arch)
			if err != nil {
				continue
			}
			local, err := file.ThreadLocal(contextName)
			if (err == nil) != (local != nil) || local != nil && len(local.Slots) > maxSlots {
				t.Fatalf("%+v, %v", local, err)
			}
			file.LoadedAt(0x7f0000000000, 0)
		}
	})
}
