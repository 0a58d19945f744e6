package threadcontext

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gpucause/gpucause/internal/probesite"
)

var errUnmapped = errors.New("unmapped")

// memory is words by address.
type memory map[uint64]uint64

func (m memory) read(address uint64, words []uint64) error {
	for i := range words {
		value, mapped := m[address+8*uint64(i)]
		if !mapped {
			return errUnmapped
		}
		words[i] = value
	}
	return nil
}

func library(slots ...probesite.Slot) *definition {
	return &definition{base: 0x7f0000000000, local: &probesite.ThreadLocal{Offset: 24, Program: 999, Slots: slots}}
}

const (
	below    = ^uint64(0) - 63 // 64 below the thread pointer
	function = 0x7f0000055000
)

var known = memory{
	0x7f0000001000: below, 0x7f0000001008: 5,
	0x7f0000002000: function, 0x7f0000002008: below,
	0x7f0000003000: function, 0x7f0000003008: 0x5555000000,
	0x5555000000: 4, 0x5555000008: 24,
	0x7f0000004000: 4, 0x7f0000004008: 24,
	0x7f0000005000: 4, 0x7f0000005008: function,
}

func TestResolve(t *testing.T) {
	for name, test := range map[string]struct {
		slots []probesite.Slot
		want  Place
	}{
		"offset":            {[]probesite.Slot{{Kind: probesite.SlotOffset, Addr: 0x1000}}, Place{Offset: below}},
		"descriptor":        {[]probesite.Slot{{Kind: probesite.SlotDescriptor, Addr: 0x2000}}, Place{Offset: below}},
		"module descriptor": {[]probesite.Slot{{Kind: probesite.SlotDescriptor, Addr: 0x3000}}, Place{Module: 4, Offset: 24}},
		"module":            {[]probesite.Slot{{Kind: probesite.SlotModule, Addr: 0x4000}}, Place{Module: 4, Offset: 24}},
		"own module":        {[]probesite.Slot{{Kind: probesite.SlotOwnModule, Addr: 0x5000}}, Place{Module: 4, Offset: 24}},
		"the second slot": {
			[]probesite.Slot{{Kind: probesite.SlotModule, Addr: 0x9000}, {Kind: probesite.SlotOffset, Addr: 0x1000}}, Place{Offset: below},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := &resolver{read: known.read, glibc: true}
			r.add(library(test.slots...))
			place, err := r.result()
			require.NoError(t, err)
			assert.Equal(t, test.want, place)
		})
	}
}

func TestProgramKnowsItsOwn(t *testing.T) {
	d := library(probesite.Slot{Kind: probesite.SlotOffset, Addr: 0x1000})
	d.main = true
	r := &resolver{read: known.read}
	r.add(d)
	place, err := r.result()
	require.NoError(t, err)
	assert.Equal(t, Place{Offset: 999}, place)
}

func TestUnresolved(t *testing.T) {
	lies := memory{
		0x7f0000001000: 0, 0x7f0000001008: 0,
		0x7f0000002000: 0, 0x7f0000002008: 0,
		0x7f0000003000: 0, 0x7f0000003008: function,
		0x7f0000004000: maxModules, 0x7f0000004008: 24,
		0x7f0000005000: 3, 0x7f0000005008: ^uint64(0),
		0x7f0000006000: function, 0x7f0000006008: 0,
	}
	for name, slot := range map[string]probesite.Slot{
		"not stored":           {Kind: probesite.SlotOffset, Addr: 0x1000},
		"an address":           {Kind: probesite.SlotOffset, Addr: 0x6000},
		"no argument":          {Kind: probesite.SlotDescriptor, Addr: 0x2000},
		"argument nowhere":     {Kind: probesite.SlotDescriptor, Addr: 0x3000},
		"no module":            {Kind: probesite.SlotModule, Addr: 0x1000},
		"no such module":       {Kind: probesite.SlotModule, Addr: 0x4000},
		"no such offset":       {Kind: probesite.SlotModule, Addr: 0x5000},
		"no such own module":   {Kind: probesite.SlotOwnModule, Addr: 0x4000},
		"no such kind of slot": {Addr: 0x1000},
	} {
		t.Run(name, func(t *testing.T) {
			r := &resolver{read: lies.read, glibc: true}
			r.add(library(slot))
			place, err := r.result()
			require.ErrorIs(t, err, ErrUnresolved)
			assert.False(t, place.Known())
		})
	}
	r := &resolver{read: lies.read}
	r.add(library())
	_, err := r.result()
	require.ErrorIs(t, err, ErrUnresolved, "nobody uses it")

	r = &resolver{read: lies.read}
	r.add(library(probesite.Slot{Kind: probesite.SlotOffset, Addr: 0x8000}))
	_, err = r.result()
	require.ErrorIs(t, err, errUnmapped)
}

func TestModulesOfOtherCLibraries(t *testing.T) {
	r := &resolver{read: known.read}
	r.add(library(probesite.Slot{Kind: probesite.SlotModule, Addr: 0x4000}))
	_, err := r.result()
	require.ErrorIs(t, err, ErrDynamic)
}

func TestSeveralVariables(t *testing.T) {
	offset := probesite.Slot{Kind: probesite.SlotOffset, Addr: 0x1000}
	r := &resolver{read: known.read, glibc: true}
	r.add(library(probesite.Slot{Kind: probesite.SlotOffset, Addr: 0x8000}))
	r.add(library(offset))
	r.add(library(offset))
	place, err := r.result()
	require.NoError(t, err, "the linker has made one of them")
	assert.Equal(t, Place{Offset: below}, place)

	r.add(library(probesite.Slot{Kind: probesite.SlotModule, Addr: 0x4000}))
	_, err = r.result()
	require.ErrorIs(t, err, ErrAmbiguous)
}
