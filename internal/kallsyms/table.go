package kallsyms

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Bounds of what is read; a Linux kernel with modules lists about 200 000 symbols.
const (
	maxSymbols   = 1 << 20
	maxNameBytes = 64 << 20
	maxOffset    = 1 << 20 // an address further than this into a symbol is in none
)

// ErrHidden says that the Linux kernel shows every address as zero to this
// process (kallsyms_show_value, kernel/ksyms_common.c): kernel.kptr_restrict is
// 2, or CAP_SYSLOG is missing. Without it, kptr_restrict must be 0 and
// kernel.perf_event_paranoid at most 1.
var ErrHidden = errors.New("addresses in kallsyms are hidden: grant CAP_SYSLOG and set kernel.kptr_restrict to 0 or 1, " +
	"or set kernel.kptr_restrict to 0 and kernel.perf_event_paranoid to 1 or less")

// Table maps addresses to the names of functions. It does not change after
// Read; the zero value and nil know no names.
type Table struct {
	symbols []symbol // by address
	names   string
}

// symbol is a function at address, named names[name : name+length].
type symbol struct {
	address uint64
	name    uint32
	length  uint16
}

// ReadFile reads a table in the format of /proc/kallsyms.
func ReadFile(path string) (*Table, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening kernel symbols: %w", err)
	}
	defer func() { _ = file.Close() }()
	return Read(file)
}

// Read reads "address type name [module]" lines and keeps the functions. Lines
// that do not parse are left out. It returns [ErrHidden] where all addresses
// are zero.
func Read(r io.Reader) (*Table, error) {
	var b builder
	lines := bufio.NewScanner(r)
	for lines.Scan() && b.room() {
		b.add(lines.Text())
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading kernel symbols: %w", err)
	}
	if len(b.symbols) == 0 && b.hidden > 0 {
		return nil, ErrHidden
	}
	return b.table(), nil
}

// Lookup returns "name+0x1f" for an address inside a function, or "". It never
// returns the address itself, which tells where the Linux kernel is loaded.
func (t *Table) Lookup(address uint64) string {
	s, ok := t.find(address)
	if !ok {
		return ""
	}
	return t.nameOf(s) + "+0x" + strconv.FormatUint(address-s.address, 16)
}

// Name returns the function that address is in, or "".
func (t *Table) Name(address uint64) string {
	s, ok := t.find(address)
	if !ok {
		return ""
	}
	return t.nameOf(s)
}

func (t *Table) nameOf(s symbol) string { return t.names[s.name : s.name+uint32(s.length)] }

func (t *Table) find(address uint64) (symbol, bool) {
	if t == nil {
		return symbol{}, false
	}
	after, exact := slices.BinarySearchFunc(t.symbols, address, func(s symbol, address uint64) int {
		return cmp.Compare(s.address, address)
	})
	if exact {
		return t.symbols[after], true
	}
	if after == 0 || address-t.symbols[after-1].address > maxOffset {
		return symbol{}, false
	}
	return t.symbols[after-1], true
}

type builder struct {
	symbols []symbol
	names   strings.Builder
	hidden  int // functions with address zero
}

func (b *builder) room() bool {
	return len(b.symbols) < maxSymbols && b.names.Len() < maxNameBytes
}

func (b *builder) add(line string) {
	fields := strings.Fields(line)
	if len(fields) < 3 || !strings.Contains("tTwW", fields[1]) || len(fields[2]) > 1<<16-1 {
		return
	}
	address, err := strconv.ParseUint(fields[0], 16, 64)
	if err != nil {
		return
	}
	if address == 0 {
		b.hidden++
		return
	}
	b.symbols = append(b.symbols, symbol{address: address, name: uint32(b.names.Len()), length: uint16(len(fields[2]))})
	b.names.WriteString(fields[2])
}

// table sorts by address; of the names of one address, the first listed remains.
func (b *builder) table() *Table {
	slices.SortStableFunc(b.symbols, func(x, y symbol) int { return cmp.Compare(x.address, y.address) })
	symbols := slices.CompactFunc(b.symbols, func(x, y symbol) bool { return x.address == y.address })
	return &Table{symbols: slices.Clip(symbols), names: b.names.String()}
}
