package probesite

import (
	"bytes"
	"fmt"

	"github.com/gpucause/gpucause/internal/probe"
)

// wanted are the functions to find, by symbol.
type wanted struct {
	probes   []probe.Probe
	bySymbol map[string]int // index in probes
	longest  int            // bytes of the longest symbol
}

func want(probes []probe.Probe) *wanted {
	w := &wanted{probes: probes, bySymbol: make(map[string]int, len(probes))}
	for i, p := range probes {
		w.bySymbol[p.Symbol] = i
		w.longest = max(w.longest, len(p.Symbol))
	}
	return w
}

// All symbols of the catalogue have one of these stems after an optional prefix.
var (
	symbolStems  = [][]byte{[]byte("cu"), []byte("nccl")}
	symbolPrefix = []byte("__")
)

// candidates maps offsets in a string table to the wanted functions whose
// symbols begin there.
type candidates map[uint32]int

// candidatesIn searches a string table for wanted symbols, in constant memory.
// Linkers merge a string into the tail of a longer one, so a symbol may begin
// anywhere.
func (f *File) candidatesIn(table section, w *wanted) (candidates, error) {
	if table.size > maxStringBytes || table.size > f.size || table.size < 0 {
		return nil, ErrMalformed
	}
	found := make(candidates)
	overlap := int64(w.longest + len(symbolPrefix) + 1)
	for at := int64(0); at < table.size; at += readChunk {
		from := max(at-overlap, 0)
		chunk, err := f.bytes(table.offset+from, min(at+readChunk, table.size)-from)
		if err != nil {
			return nil, fmt.Errorf("reading strings: %w", err)
		}
		w.search(chunk, uint32(from), found)
		if len(found) > maxCandidates {
			return nil, fmt.Errorf("reading strings: %w: too many catalogue names", ErrMalformed)
		}
	}
	return found, nil
}

// search adds the wanted symbols in chunk, which begins at offset base of its table.
func (w *wanted) search(chunk []byte, base uint32, found candidates) {
	for _, stem := range symbolStems {
		w.searchStem(stem, chunk, base, found)
	}
}

func (w *wanted) searchStem(stem, chunk []byte, base uint32, found candidates) {
	for at := 0; ; {
		next := bytes.Index(chunk[at:], stem)
		if next < 0 {
			return
		}
		at += next
		w.match(chunk, at, base, found)
		if w.hasPrefix(chunk, at) {
			w.match(chunk, at-len(symbolPrefix), base, found)
		}
		at += len(stem)
	}
}

func (*wanted) hasPrefix(chunk []byte, at int) bool {
	return bytes.HasSuffix(chunk[:at], symbolPrefix)
}

// match adds the symbol that begins at chunk[at], if it is wanted.
func (w *wanted) match(chunk []byte, at int, base uint32, found candidates) {
	rest := chunk[at:min(len(chunk), at+w.longest+1)]
	end := bytes.IndexByte(rest, 0)
	if end < 0 {
		return
	}
	if i, ok := w.bySymbol[string(rest[:end])]; ok {
		found[base+uint32(at)] = i
	}
}
