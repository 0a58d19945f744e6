package probesite

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/gpucause/gpucause/internal/probe"
)

// minFunctions of the catalogue make a CUDA library: one name alone may be a
// wrapper's or a coincidence.
const minFunctions = 2

// maxCode bytes of a function are examined.
const maxCode = 4 << 10

// Found is a function to probe.
type Found struct {
	Probe      probe.Probe
	Aliases    []string // other symbols of the catalogue at the same address, not attached again
	Address    uint64   // of the entry, as the file's symbols say it
	FileOffset uint64   // of the site: where to attach
	Site       Site
}

// Refused is a function that is there and cannot be probed.
type Refused struct {
	Probe probe.Probe
	Err   error // wraps ErrSingleStepRefused, ErrNoInstruction, ErrUnprobeable or ErrMalformed
}

// Selection is what Sites found in a file.
type Selection struct {
	Found   []Found   // in catalogue order, one per file offset
	Refused []Refused // in catalogue order
	Missing []string  // symbols of the layers found that the file does not define
}

// Sites finds the functions in the file and selects a site for each. A file
// with fewer than two of them is an ErrNotCUDA. probes is in catalogue order.
func (f *File) Sites(probes []probe.Probe, options Options) (*Selection, error) {
	w := want(probes)
	functions, err := f.functions(w)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(functions, func(a, b function) int {
		return cmp.Or(cmp.Compare(a.wanted, b.wanted), cmp.Compare(a.addr, b.addr))
	})
	functions = slices.CompactFunc(functions, func(a, b function) bool {
		return a.wanted == b.wanted && a.addr == b.addr
	})
	if countWanted(functions) < minFunctions {
		return nil, ErrNotCUDA
	}
	s := &Selection{Missing: w.missing(functions)}
	for _, aliases := range groupByAddress(functions) {
		f.place(s, w, aliases, options)
	}
	return s, nil
}

// countWanted counts different symbols; functions are sorted.
func countWanted(functions []function) int {
	count := 0
	for i, fn := range functions {
		if i == 0 || fn.wanted != functions[i-1].wanted {
			count++
		}
	}
	return count
}

// groupByAddress puts functions at one address together; groups and their
// members stay in order.
func groupByAddress(functions []function) [][]function {
	var groups [][]function
	at := make(map[uint64]int)
	for _, fn := range functions {
		i, known := at[fn.addr]
		if !known {
			i = len(groups)
			at[fn.addr] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], fn)
	}
	return groups
}

// place selects the site of the function that aliases name.
func (f *File) place(s *Selection, w *wanted, aliases []function, options Options) {
	entry := aliases[0]
	found := Found{Probe: w.probes[entry.wanted], Address: entry.addr}
	for _, alias := range aliases[1:] {
		found.Aliases = append(found.Aliases, w.probes[alias.wanted].Symbol)
	}
	err := f.selectSite(&found, entry, options)
	if err != nil {
		s.Refused = append(s.Refused, Refused{Probe: found.Probe, Err: fmt.Errorf("probing %s: %w", found.Probe.Symbol, err)})
		return
	}
	if !slices.ContainsFunc(s.Found, func(other Found) bool { return other.FileOffset == found.FileOffset }) {
		s.Found = append(s.Found, found)
	}
}

func (f *File) selectSite(found *Found, entry function, options Options) error {
	offset, available, ok := f.fileOffset(entry.addr)
	if !ok {
		return fmt.Errorf("%w: function outside of executable segments", ErrMalformed)
	}
	size := min(available, maxCode)
	if entry.size > 0 {
		size = min(size, entry.size)
	}
	code, err := f.bytes(int64(offset), int64(size))
	if err != nil {
		return err
	}
	found.Site, err = Select(f.arch, code, entry.addr, options)
	found.FileOffset = offset + found.Site.Offset
	return err
}

// fileOffset translates an address into an offset in the file, with the bytes
// of the executable segment that follow it.
func (f *File) fileOffset(addr uint64) (offset, available uint64, ok bool) {
	for _, s := range f.segments {
		if into := addr - s.addr; addr >= s.addr && into < s.size && s.offset <= uint64(f.size) && into <= uint64(f.size)-s.offset {
			return s.offset + into, min(s.size-into, uint64(f.size)-s.offset-into), true
		}
	}
	return 0, 0, false
}

// missing lists the wanted symbols that functions, which are sorted, lack, of
// the layers that they belong to.
func (w *wanted) missing(functions []function) []string {
	defined := make(map[int]bool, len(functions))
	layers := make(map[probe.Layer]bool)
	for _, fn := range functions {
		defined[fn.wanted] = true
		layers[w.probes[fn.wanted].Layer] = true
	}
	var missing []string
	for i, p := range w.probes {
		if layers[p.Layer] && !defined[i] {
			missing = append(missing, p.Symbol)
		}
	}
	return missing
}
