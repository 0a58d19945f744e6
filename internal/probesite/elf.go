package probesite

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
)

// ErrNotCUDA says that a file is well understood and not to be probed: no ELF
// file of this machine, or fewer than two functions of the catalogue in it.
var ErrNotCUDA = errors.New("not a CUDA library")

// ErrMalformed says that a file contradicts itself or exceeds a bound of this package.
var ErrMalformed = errors.New("malformed ELF file")

// Bounds on what is read of a file, which may be hostile.
const (
	maxSegments      = 512
	maxSections      = 8192
	maxSectionNames  = 1 << 20
	maxSymbolBytes   = 512 << 20 // of one symbol table
	maxStringBytes   = 512 << 20 // of one string table
	maxCandidates    = 4096      // names of one string table that are in the catalogue
	maxFunctions     = 1024      // definitions of them
	readChunk        = 256 << 10
	headerSize       = 64
	segmentEntrySize = 56
	sectionEntrySize = 64
	symbolEntrySize  = 24
)

// File is an ELF file, executable or shared object, whose headers have been
// read. It reads through r as long as it is used and does not close it.
type File struct {
	r        io.ReaderAt
	size     int64
	arch     string // GOARCH
	segments []segment
	sections []section
	tls      tlsSegment

	program    bool // an executable, position-independent or not
	deviceCode bool // carries GPU code: linked by nvcc, so perhaps with a static CUDA runtime
}

// segment is an executable PT_LOAD.
type segment struct {
	addr, offset, size uint64 // size in the file
}

type section struct {
	kind         elf.SectionType
	name, link   uint32
	offset, size int64
}

// Open reads the headers of an ELF file of size bytes. A file that is not for
// this machine is an ErrNotCUDA.
func Open(r io.ReaderAt, size int64) (*File, error) {
	return openFor(r, size, runtime.GOARCH)
}

func openFor(r io.ReaderAt, size int64, arch string) (*File, error) {
	f := &File{r: r, size: size, arch: arch}
	header, err := f.header()
	if err != nil {
		return nil, err
	}
	if err := f.readSegments(header); err != nil {
		return nil, fmt.Errorf("reading program headers: %w", err)
	}
	if err := f.readSections(header); err != nil {
		return nil, fmt.Errorf("reading section headers: %w", err)
	}
	return f, nil
}

// header reads and checks the ELF header.
func (f *File) header() ([]byte, error) {
	if f.size < headerSize {
		return nil, ErrNotCUDA
	}
	header, err := f.bytes(0, headerSize)
	if err != nil {
		return nil, fmt.Errorf("reading ELF header: %w", err)
	}
	kind := elf.Type(binary.LittleEndian.Uint16(header[16:]))
	f.program = kind == elf.ET_EXEC
	switch {
	case string(header[:4]) != elf.ELFMAG,
		elf.Class(header[elf.EI_CLASS]) != elf.ELFCLASS64,
		elf.Data(header[elf.EI_DATA]) != elf.ELFDATA2LSB,
		kind != elf.ET_EXEC && kind != elf.ET_DYN,
		elf.Machine(binary.LittleEndian.Uint16(header[18:])) != machineOf(f.arch):
		return nil, ErrNotCUDA
	}
	return header, nil
}

func machineOf(arch string) elf.Machine {
	switch arch {
	case "amd64":
		return elf.EM_X86_64
	case "arm64":
		return elf.EM_AARCH64
	default:
		return elf.EM_NONE
	}
}

func (f *File) readSegments(header []byte) error {
	count := int(binary.LittleEndian.Uint16(header[56:]))
	if count > maxSegments || count > 0 && binary.LittleEndian.Uint16(header[54:]) != segmentEntrySize {
		return ErrMalformed
	}
	raw, err := f.table(header[32:], count*segmentEntrySize)
	if err != nil {
		return err
	}
	for ; len(raw) > 0; raw = raw[segmentEntrySize:] {
		kind, flags := elf.ProgType(binary.LittleEndian.Uint32(raw)), elf.ProgFlag(binary.LittleEndian.Uint32(raw[4:]))
		switch {
		case kind == elf.PT_INTERP:
			f.program = true
		case kind == elf.PT_TLS:
			f.tls = readTLSSegment(raw)
		case kind == elf.PT_LOAD && flags&elf.PF_X != 0:
			f.segments = append(f.segments, segment{
				offset: binary.LittleEndian.Uint64(raw[8:]),
				addr:   binary.LittleEndian.Uint64(raw[16:]),
				size:   binary.LittleEndian.Uint64(raw[32:]),
			})
		}
	}
	return nil
}

func (f *File) readSections(header []byte) error {
	count := int(binary.LittleEndian.Uint16(header[60:]))
	if count > maxSections || count > 0 && binary.LittleEndian.Uint16(header[58:]) != sectionEntrySize {
		return ErrMalformed
	}
	raw, err := f.table(header[40:], count*sectionEntrySize)
	if err != nil {
		return err
	}
	for ; len(raw) > 0; raw = raw[sectionEntrySize:] {
		f.sections = append(f.sections, section{
			name:   binary.LittleEndian.Uint32(raw),
			kind:   elf.SectionType(binary.LittleEndian.Uint32(raw[4:])),
			offset: int64(binary.LittleEndian.Uint64(raw[24:])),
			size:   int64(binary.LittleEndian.Uint64(raw[32:])),
			link:   binary.LittleEndian.Uint32(raw[40:]),
		})
	}
	return f.findDeviceCode(int(binary.LittleEndian.Uint16(header[62:])))
}

// findDeviceCode looks for nvcc's sections by name.
func (f *File) findDeviceCode(namesIndex int) error {
	if namesIndex >= len(f.sections) {
		return nil
	}
	at := f.sections[namesIndex]
	if at.size > maxSectionNames {
		return ErrMalformed
	}
	names, err := f.bytes(at.offset, at.size)
	if err != nil {
		return err
	}
	for _, s := range f.sections {
		switch stringAt(names, s.name) {
		case ".nv_fatbin", ".nvFatBinSegment":
			f.deviceCode = true
		}
	}
	return nil
}

// table reads size bytes of headers at the offset that raw begins with.
func (f *File) table(raw []byte, size int) ([]byte, error) {
	if size == 0 {
		return nil, nil
	}
	return f.bytes(int64(binary.LittleEndian.Uint64(raw)), int64(size))
}

// bytes reads a part of the file. What is not wholly in the file is malformed.
func (f *File) bytes(offset, size int64) ([]byte, error) {
	if offset < 0 || size < 0 || offset > f.size || size > f.size-offset {
		return nil, ErrMalformed
	}
	raw := make([]byte, size)
	if n, err := f.r.ReadAt(raw, offset); n < len(raw) {
		return nil, err
	}
	return raw, nil
}

// stringAt returns the zero-terminated string at offset, or "" outside of table.
func stringAt(table []byte, offset uint32) string {
	if uint64(offset) >= uint64(len(table)) {
		return ""
	}
	table = table[offset:]
	for i, b := range table {
		if b == 0 {
			return string(table[:i])
		}
	}
	return ""
}
