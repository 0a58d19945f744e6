package probesite

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"slices"
)

// function is a definition of a wanted symbol.
type function struct {
	wanted int // index
	addr   uint64
	size   uint64
}

// functions collects the definitions of wanted symbols: exported ones, and
// local ones where a static CUDA runtime may be.
func (f *File) functions(w *wanted) ([]function, error) {
	all, err := f.functionsInFirst(elf.SHT_DYNSYM, w)
	if err != nil || !f.program && !f.deviceCode {
		return all, err
	}
	local, err := f.functionsInFirst(elf.SHT_SYMTAB, w)
	return append(all, local...), err
}

// functionsInFirst reads the symbol table of a kind; ELF allows only one of each.
func (f *File) functionsInFirst(kind elf.SectionType, w *wanted) ([]function, error) {
	i := slices.IndexFunc(f.sections, func(s section) bool { return s.kind == kind })
	if i < 0 {
		return nil, nil
	}
	return f.functionsIn(f.sections[i], w)
}

// functionsIn reads the symbol table only when its string table has at least
// two wanted names: nearly all files end here.
func (f *File) functionsIn(symbols section, w *wanted) ([]function, error) {
	if uint64(symbols.link) >= uint64(len(f.sections)) || symbols.size < 0 || symbols.size > maxSymbolBytes {
		return nil, fmt.Errorf("reading symbols: %w", ErrMalformed)
	}
	names, err := f.candidatesIn(f.sections[symbols.link], w)
	if err != nil || len(names) < minFunctions {
		return nil, err
	}
	return f.scanSymbols(symbols, names)
}

func (f *File) scanSymbols(symbols section, names candidates) ([]function, error) {
	const chunk = readChunk / symbolEntrySize * symbolEntrySize
	var found []function
	end := symbols.size / symbolEntrySize * symbolEntrySize
	for at := int64(0); at < end; at += chunk {
		raw, err := f.bytes(symbols.offset+at, min(chunk, end-at))
		if err != nil {
			return nil, fmt.Errorf("reading symbols: %w", err)
		}
		for ; len(raw) > 0; raw = raw[symbolEntrySize:] {
			if fn, ok := functionOf(raw, names); ok {
				found = append(found, fn)
			}
		}
		if len(found) > maxFunctions {
			return nil, fmt.Errorf("reading symbols: %w: too many catalogue functions", ErrMalformed)
		}
	}
	return found, nil
}

// functionOf reads one symbol, if it defines a wanted function here: not in
// another file, and not through a resolver (STT_GNU_IFUNC).
func functionOf(symbol []byte, names candidates) (function, bool) {
	wanted, ok := names[binary.LittleEndian.Uint32(symbol)]
	index := elf.SectionIndex(binary.LittleEndian.Uint16(symbol[6:]))
	if !ok || elf.ST_TYPE(symbol[4]) != elf.STT_FUNC || index == elf.SHN_UNDEF || index >= elf.SHN_LORESERVE {
		return function{}, false
	}
	return function{
		wanted: wanted,
		addr:   binary.LittleEndian.Uint64(symbol[8:]),
		size:   binary.LittleEndian.Uint64(symbol[16:]),
	}, true
}
