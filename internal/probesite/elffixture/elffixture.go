// Package elffixture builds small ELF files for tests of what reads foreign
// ELF files. Production code does not use it.
package elffixture

import (
	"debug/elf"
	"encoding/binary"
)

// Base is the address at which a fixture's only segment, the whole file, is loaded.
const Base = 0x10000

// Symbol is an entry of a symbol table.
type Symbol struct {
	Name   string
	Code   []byte // the function's code; none and no Alias: undefined
	Alias  string // another symbol, defined before, at whose address this one is
	Type   elf.SymType
	NoSize bool
	Value  uint64 // instead of an address, of a symbol that is none: a thread-local one
}

// Function is an ordinary function symbol.
func Function(name string, code ...byte) Symbol {
	return Symbol{Name: name, Code: code, Type: elf.STT_FUNC}
}

// Image describes a file. Its zero value is an empty shared object.
type Image struct {
	Machine  elf.Machine
	Class    elf.Class // ELFCLASS64 by default
	Kind     elf.Type  // ET_DYN by default
	Dynamic  []Symbol  // .dynsym
	Local    []Symbol  // .symtab
	Sections []string  // further, empty sections, by name

	ThreadLocal ThreadLocal
	Relocations []Relocation // of .dynsym
}

// ThreadLocal is the segment of thread-local storage; its zero value is none.
type ThreadLocal struct {
	Addr, Size, Align uint64
}

// Relocation is a relocation with an addend.
type Relocation struct {
	Addr   uint64
	Symbol uint32 // index
	Type   uint32
	Addend uint64
}

type sectionHeader struct {
	name, kind, link uint32
	offset, size     uint64
}

// Bytes builds the file.
func (i Image) Bytes() []byte {
	b := &builder{file: make([]byte, 64+2*56), addrs: map[string]uint64{}}
	b.sections = []sectionHeader{{}}
	b.symbols(".dynsym", elf.SHT_DYNSYM, i.Dynamic)
	b.symbols(".symtab", elf.SHT_SYMTAB, i.Local)
	b.relocations(i.Relocations)
	for _, name := range i.Sections {
		b.section(name, elf.SHT_PROGBITS, nil, 0)
	}
	names := b.section(".shstrtab", elf.SHT_STRTAB, nil, 0)
	b.sections[names].offset = uint64(len(b.file))
	b.sections[names].size = uint64(len(b.names))
	b.file = append(b.file, b.names...)
	headers := len(b.file)
	for _, s := range b.sections {
		b.file = append(b.file, s.bytes()...)
	}
	b.header(i, headers, names)
	return b.file
}

type builder struct {
	file     []byte
	names    []byte
	sections []sectionHeader
	addrs    map[string]uint64 // of functions, by symbol
}

func (b *builder) section(name string, kind elf.SectionType, content []byte, link int) (index int) {
	b.sections = append(b.sections, sectionHeader{
		name: uint32(len(b.names)), kind: uint32(kind), link: uint32(link),
		offset: uint64(len(b.file)), size: uint64(len(content)),
	})
	b.names = append(append(b.names, name...), 0)
	b.file = append(b.file, content...)
	return len(b.sections) - 1
}

func (b *builder) symbols(name string, kind elf.SectionType, symbols []Symbol) {
	if symbols == nil {
		return
	}
	table, names := make([]byte, 24), []byte{0}
	for _, s := range symbols {
		entry := make([]byte, 24)
		binary.LittleEndian.PutUint32(entry, uint32(len(names)))
		entry[4] = byte(elf.STB_GLOBAL)<<4 | byte(s.Type)
		if addr := max(b.place(s), s.Value); addr != 0 {
			binary.LittleEndian.PutUint16(entry[6:], 1)
			binary.LittleEndian.PutUint64(entry[8:], addr)
		}
		if !s.NoSize {
			binary.LittleEndian.PutUint64(entry[16:], uint64(len(s.Code)))
		}
		table = append(table, entry...)
		names = append(append(names, s.Name...), 0)
	}
	link := b.section(name+".strings", elf.SHT_STRTAB, names, 0)
	b.section(name, kind, table, link)
}

func (b *builder) relocations(relocations []Relocation) {
	if relocations == nil {
		return
	}
	var table []byte
	for _, r := range relocations {
		table = binary.LittleEndian.AppendUint64(table, r.Addr)
		table = binary.LittleEndian.AppendUint64(table, uint64(r.Symbol)<<32|uint64(r.Type))
		table = binary.LittleEndian.AppendUint64(table, r.Addend)
	}
	b.section(".rela.dyn", elf.SHT_RELA, table, 0) //nolint:misspell // the type of section is called so
}

// place puts a symbol's code into the file and returns its address, 0 for an
// undefined symbol.
func (b *builder) place(s Symbol) uint64 {
	if s.Alias != "" {
		return b.addrs[s.Alias]
	}
	if len(s.Code) == 0 {
		return 0
	}
	addr := Base + uint64(len(b.file))
	b.addrs[s.Name] = addr
	b.file = append(b.file, s.Code...)
	return addr
}

func (s sectionHeader) bytes() []byte {
	h := make([]byte, 64)
	binary.LittleEndian.PutUint32(h, s.name)
	binary.LittleEndian.PutUint32(h[4:], s.kind)
	binary.LittleEndian.PutUint64(h[24:], s.offset)
	binary.LittleEndian.PutUint64(h[32:], s.size)
	binary.LittleEndian.PutUint32(h[40:], s.link)
	return h
}

func (b *builder) header(i Image, sections, names int) {
	h := b.file
	copy(h, elf.ELFMAG)
	h[elf.EI_CLASS], h[elf.EI_DATA], h[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), 1
	if i.Class != elf.ELFCLASSNONE {
		h[elf.EI_CLASS] = byte(i.Class)
	}
	kind := elf.ET_DYN
	if i.Kind != elf.ET_NONE {
		kind = i.Kind
	}
	binary.LittleEndian.PutUint16(h[16:], uint16(kind))
	binary.LittleEndian.PutUint16(h[18:], uint16(i.Machine))
	binary.LittleEndian.PutUint64(h[32:], 64)
	binary.LittleEndian.PutUint64(h[40:], uint64(sections))
	binary.LittleEndian.PutUint16(h[54:], 56)
	binary.LittleEndian.PutUint16(h[56:], 2)
	binary.LittleEndian.PutUint16(h[58:], 64)
	binary.LittleEndian.PutUint16(h[60:], uint16(len(b.sections)))
	binary.LittleEndian.PutUint16(h[62:], uint16(names))

	load := h[64:]
	binary.LittleEndian.PutUint32(load, uint32(elf.PT_LOAD))
	binary.LittleEndian.PutUint32(load[4:], uint32(elf.PF_R|elf.PF_X))
	binary.LittleEndian.PutUint64(load[16:], Base)
	binary.LittleEndian.PutUint64(load[32:], uint64(len(h)))
	binary.LittleEndian.PutUint64(load[40:], uint64(len(h)))

	if i.ThreadLocal == (ThreadLocal{}) {
		return // of type PT_NULL
	}
	tls := h[64+56:]
	binary.LittleEndian.PutUint32(tls, uint32(elf.PT_TLS))
	binary.LittleEndian.PutUint64(tls[16:], i.ThreadLocal.Addr)
	binary.LittleEndian.PutUint64(tls[40:], i.ThreadLocal.Size)
	binary.LittleEndian.PutUint64(tls[48:], i.ThreadLocal.Align)
}
