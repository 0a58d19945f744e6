package threadcontext

import (
	"errors"

	"github.com/gpucause/gpucause/internal/probesite"
)

// Errors of a variable that is there, and whose place is not known.
var (
	// ErrUnresolved: the dynamic linker has not stored yet where it is, or stored
	// something that is not understood.
	ErrUnresolved = errors.New("where the variable is has not been stored")
	// ErrDynamic: it has no fixed place, and the C library is none of which it is
	// known how threads find it.
	ErrDynamic = errors.New("the variable is in a module of a C library other than glibc, loaded later")
	// ErrAmbiguous: there are several, at different places.
	ErrAmbiguous = errors.New("there are several variables")
)

const (
	// maxOffset bounds offsets from the thread pointer and in a module's block. All
	// addresses are beyond it, by which a descriptor's argument tells what it is.
	maxOffset  = 2 << 20
	maxModules = 1 << 16
)

// definition is the variable as a file of a process defines it.
type definition struct {
	local *probesite.ThreadLocal
	base  uint64 // how far from its own addresses the file is loaded
	main  bool   // the file is the program itself
}

// resolver finds out from the memory of a process where its variable is.
type resolver struct {
	// read fills words with those at an address.
	read func(address uint64, words []uint64) error
	// glibc: threads find a module's block as glibc has them do it.
	glibc bool

	places []Place
	err    error // why another one has no place
}

func (r *resolver) add(d *definition) {
	place, err := r.place(d)
	if err != nil {
		r.err = err
		return
	}
	r.places = append(r.places, place)
}

func (r *resolver) result() (Place, error) {
	if len(r.places) == 0 {
		return Place{}, r.err
	}
	for _, place := range r.places[1:] {
		if place != r.places[0] {
			return Place{}, ErrAmbiguous
		}
	}
	return r.places[0], nil
}

func (r *resolver) place(d *definition) (Place, error) {
	if d.main {
		return Place{Offset: d.local.Program}, nil
	}
	err := ErrUnresolved
	for _, slot := range d.local.Slots {
		var place Place
		if place, err = r.slot(slot, d); err == nil {
			return place, nil
		}
	}
	return Place{}, err
}

// slot reads what the dynamic linker stored in a slot.
func (r *resolver) slot(slot probesite.Slot, d *definition) (Place, error) {
	var words [2]uint64
	if err := r.read(slot.Addr+d.base, words[:]); err != nil {
		return Place{}, err
	}
	switch slot.Kind {
	case probesite.SlotOffset:
		return fixed(words[0])
	case probesite.SlotDescriptor:
		return r.descriptor(words[1])
	case probesite.SlotModule:
		return r.module(words[0], words[1])
	case probesite.SlotOwnModule:
		return r.module(words[0], d.local.Offset)
	default:
		return Place{}, ErrUnresolved
	}
}

func fixed(offset uint64) (Place, error) {
	if !isOffset(offset) {
		return Place{}, ErrUnresolved
	}
	return Place{Offset: offset}, nil
}

// isOffset reports whether a word is an offset from the thread pointer.
func isOffset(word uint64) bool {
	offset := int64(word)
	return offset != 0 && -maxOffset < offset && offset < maxOffset
}

// descriptor reads a descriptor by its argument: an offset, or where module and offset are.
func (r *resolver) descriptor(argument uint64) (Place, error) {
	if isOffset(argument) {
		return Place{Offset: argument}, nil
	}
	var words [2]uint64
	if err := r.read(argument, words[:]); err != nil {
		return Place{}, errors.Join(ErrUnresolved, err)
	}
	return r.module(words[0], words[1])
}

func (r *resolver) module(module, offset uint64) (Place, error) {
	switch {
	case module == 0 || module >= maxModules || offset >= maxOffset:
		return Place{}, ErrUnresolved
	case !r.glibc:
		return Place{}, ErrDynamic
	}
	return Place{Module: uint32(module), Offset: offset}, nil
}
