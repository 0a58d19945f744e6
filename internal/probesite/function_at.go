package probesite

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// ErrNoSymbol says that no symbol of the file tells what is at an offset.
var ErrNoSymbol = errors.New("no symbol")

// maxFunctionName is the longest name that FunctionAt returns, in bytes; longer ones are cut.
const maxFunctionName = 4 << 10

// FunctionAt returns the symbol of the function that the byte at an offset of
// the file is part of. Of several symbols the first one in the file is taken.
func (f *File) FunctionAt(offset uint64) (string, error) {
	addr, ok := f.address(offset)
	if !ok {
		return "", fmt.Errorf("%w: not in an executable segment", ErrNoSymbol)
	}
	for _, kind := range []elf.SectionType{elf.SHT_SYMTAB, elf.SHT_DYNSYM} {
		i := slices.IndexFunc(f.sections, func(s section) bool { return s.kind == kind })
		if i < 0 {
			continue
		}
		name, err := f.functionAt(f.sections[i], addr)
		if !errors.Is(err, ErrNoSymbol) {
			return name, err
		}
	}
	return "", ErrNoSymbol
}

// address translates an offset in the file into an address, the reverse of fileOffset.
func (f *File) address(offset uint64) (uint64, bool) {
	for _, s := range f.segments {
		if offset >= s.offset && offset-s.offset < s.size {
			return s.addr + offset - s.offset, true
		}
	}
	return 0, false
}

func (f *File) functionAt(symbols section, addr uint64) (string, error) {
	if uint64(symbols.link) >= uint64(len(f.sections)) || symbols.size < 0 || symbols.size > maxSymbolBytes {
		return "", fmt.Errorf("reading symbols: %w", ErrMalformed)
	}
	name, err := f.nameOffset(symbols, addr)
	if err != nil {
		return "", err
	}
	names := f.sections[symbols.link]
	if int64(name) >= names.size || names.size > f.size {
		return "", fmt.Errorf("reading strings: %w", ErrMalformed)
	}
	raw, err := f.bytes(names.offset+int64(name), min(names.size-int64(name), maxFunctionName))
	if err != nil {
		return "", fmt.Errorf("reading strings: %w", err)
	}
	if text := stringAt(append(raw, 0), 0); text != "" {
		return text, nil
	}
	return "", ErrNoSymbol
}

// nameOffset searches a symbol table for the function that addr is in, and
// returns where in the string table its name is.
func (f *File) nameOffset(symbols section, addr uint64) (uint32, error) {
	const chunk = readChunk / symbolEntrySize * symbolEntrySize
	end := symbols.size / symbolEntrySize * symbolEntrySize
	for at := int64(0); at < end; at += chunk {
		raw, err := f.bytes(symbols.offset+at, min(chunk, end-at))
		if err != nil {
			return 0, fmt.Errorf("reading symbols: %w", err)
		}
		for ; len(raw) > 0; raw = raw[symbolEntrySize:] {
			if isFunctionAt(raw, addr) {
				return binary.LittleEndian.Uint32(raw), nil
			}
		}
	}
	return 0, ErrNoSymbol
}

// isFunctionAt reports whether a symbol defines a function that addr is in. One
// without a size is at its address only.
func isFunctionAt(symbol []byte, addr uint64) bool {
	if elf.ST_TYPE(symbol[4]) != elf.STT_FUNC || elf.SectionIndex(binary.LittleEndian.Uint16(symbol[6:])) == elf.SHN_UNDEF {
		return false
	}
	value, size := binary.LittleEndian.Uint64(symbol[8:]), binary.LittleEndian.Uint64(symbol[16:])
	return addr >= value && addr-value < max(size, 1)
}
