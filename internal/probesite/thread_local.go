package probesite

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
)

// Bounds on what is looked at for a thread-local variable.
const (
	maxThreadLocals = 4096 // symbols of that type; the others are not looked at
	maxSlots        = 16   // words that lead to one variable
	relocationSize  = 24   // of an entry with addend
)

// tlsSegment is the PT_TLS of a file, its block of thread-local storage; its
// zero value is none.
type tlsSegment struct {
	addr, size, align uint64
}

func readTLSSegment(entry []byte) tlsSegment {
	return tlsSegment{
		addr:  binary.LittleEndian.Uint64(entry[16:]),
		size:  binary.LittleEndian.Uint64(entry[40:]),
		align: max(binary.LittleEndian.Uint64(entry[48:]), 1),
	}
}

// SlotKind says what the dynamic linker stores in a slot.
type SlotKind uint8

// Kinds of slot.
const (
	// SlotOffset: the variable's offset from the thread pointer.
	SlotOffset SlotKind = iota + 1
	// SlotDescriptor: a function, and its argument: the variable's offset from the
	// thread pointer, or the address of the number of a module and the offset in its block.
	SlotDescriptor
	// SlotModule: the number of the module, and the variable's offset in its block.
	SlotModule
	// SlotOwnModule: the number of the file's own module.
	SlotOwnModule
)

// Slot is where code of a file finds out where a thread-local variable is.
type Slot struct {
	Kind SlotKind
	Addr uint64 // in the file's address space
}

// ThreadLocal is an exported thread-local variable that a file defines.
type ThreadLocal struct {
	Offset uint64 // in the block of the file's module
	// Program is its offset from the thread pointer if the file is the program
	// itself, whose block has a fixed place.
	Program uint64
	Slots   []Slot // none where only other files use it, or it is the program's own
}

// ThreadLocal returns an exported thread-local variable, or an ErrNoSymbol.
func (f *File) ThreadLocal(name string) (*ThreadLocal, error) {
	if f.tls == (tlsSegment{}) {
		return nil, ErrNoSymbol
	}
	for _, symbols := range f.sections {
		if symbols.kind != elf.SHT_DYNSYM {
			continue
		}
		index, value, err := f.threadLocalIn(symbols, name)
		if err != nil {
			return nil, fmt.Errorf("looking for thread-local variable: %w", err)
		}
		local := &ThreadLocal{Offset: value, Program: f.tls.fixedOffset(f.arch) + value}
		if local.Slots, err = f.slotsOf(index, value); err != nil {
			return nil, fmt.Errorf("reading relocations: %w", err)
		}
		return local, nil
	}
	return nil, ErrNoSymbol
}

// fixedOffset is where the block of the program is, from the thread pointer: below
// it on amd64, ending there but for its alignment; on arm64 above the two words
// that are the C library's.
func (s *tlsSegment) fixedOffset(arch string) uint64 {
	mask := s.align - 1
	if arch == "arm64" {
		return 16 + (s.addr-16)&mask
	}
	return -s.size - (-s.addr-s.size)&mask
}

// threadLocalIn searches a symbol table for the definition of a thread-local variable.
func (f *File) threadLocalIn(symbols section, name string) (index uint32, value uint64, err error) {
	if uint64(symbols.link) >= uint64(len(f.sections)) {
		return 0, 0, ErrMalformed
	}
	names, locals, found := f.sections[symbols.link], 0, false
	err = f.eachEntry(symbols, symbolEntrySize, func(at uint32, symbol []byte) bool {
		if !isThreadLocal(symbol) {
			return true
		}
		locals++
		if found = f.isNamed(names, binary.LittleEndian.Uint32(symbol), name); found {
			index, value = at, binary.LittleEndian.Uint64(symbol[8:])
		}
		return !found && locals < maxThreadLocals
	})
	if err == nil && !found {
		err = ErrNoSymbol
	}
	return index, value, err
}

// eachEntry calls visit for the entries of a section, which have a size, until it returns false.
func (f *File) eachEntry(s section, size int64, visit func(index uint32, entry []byte) bool) error {
	chunk := readChunk / size * size
	if s.size < 0 || s.size > maxSymbolBytes {
		return ErrMalformed
	}
	index, end := uint32(0), s.size/size*size
	for at := int64(0); at < end; at += chunk {
		raw, err := f.bytes(s.offset+at, min(chunk, end-at))
		if err != nil {
			return err
		}
		for ; len(raw) > 0; raw, index = raw[size:], index+1 {
			if !visit(index, raw[:size]) {
				return nil
			}
		}
	}
	return nil
}

func isThreadLocal(symbol []byte) bool {
	return elf.ST_TYPE(symbol[4]) == elf.STT_TLS && elf.SectionIndex(binary.LittleEndian.Uint16(symbol[6:])) != elf.SHN_UNDEF
}

// isNamed reports whether the string at an offset of a string table is name.
func (f *File) isNamed(names section, offset uint32, name string) bool {
	if int64(offset)+int64(len(name)) >= names.size {
		return false
	}
	raw, err := f.bytes(names.offset+int64(offset), int64(len(name))+1)
	return err == nil && string(raw) == name+"\x00"
}

// slotKinds are the relocations by which a slot is filled, by architecture.
var slotKinds = map[string]map[uint32]SlotKind{
	"amd64": {
		uint32(elf.R_X86_64_TPOFF64):  SlotOffset,
		uint32(elf.R_X86_64_TLSDESC):  SlotDescriptor,
		uint32(elf.R_X86_64_DTPMOD64): SlotModule,
	},
	"arm64": {
		uint32(elf.R_AARCH64_TLS_TPREL64):  SlotOffset,
		uint32(elf.R_AARCH64_TLSDESC):      SlotDescriptor,
		uint32(elf.R_AARCH64_TLS_DTPMOD64): SlotModule,
	},
}

// slotsOf returns the slots that lead to a variable of the file, by its symbol or
// by its offset in the file's own block.
func (f *File) slotsOf(symbol uint32, offset uint64) ([]Slot, error) {
	var slots []Slot
	for _, s := range f.sections {
		if s.kind != elf.SHT_RELA { //nolint:misspell // the type of section is called so
			continue
		}
		err := f.eachEntry(s, relocationSize, func(_ uint32, relocation []byte) bool {
			if slot, ok := f.slotOf(relocation, symbol, offset); ok {
				slots = append(slots, slot)
			}
			return len(slots) < maxSlots
		})
		if err != nil {
			return nil, err
		}
	}
	return slots, nil
}

func (f *File) slotOf(relocation []byte, symbol uint32, offset uint64) (Slot, bool) {
	info := binary.LittleEndian.Uint64(relocation[8:])
	addend := binary.LittleEndian.Uint64(relocation[16:])
	kind, ok := slotKinds[f.arch][uint32(info)]
	if !ok {
		return Slot{}, false
	}
	slot := Slot{Kind: kind, Addr: binary.LittleEndian.Uint64(relocation)}
	switch by := uint32(info >> 32); {
	case by == symbol && addend == 0:
		return slot, true
	case by != 0:
		return Slot{}, false
	case kind == SlotModule:
		slot.Kind = SlotOwnModule
		return slot, true
	default:
		return slot, addend == offset
	}
}

// LoadedAt returns how far from its own addresses a file is loaded of which the
// part from an offset on is mapped, to be executed, at start.
func (f *File) LoadedAt(start, offset uint64) (uint64, bool) {
	const page = 64 << 10 // of any machine that is supported
	for _, s := range f.segments {
		if offset >= s.offset&^(page-1) && offset < s.offset+s.size {
			return start - (s.addr - s.offset + offset), true
		}
	}
	return 0, false
}
