//go:build amd64 || arm64

package capture

import (
	"debug/elf"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gpucause/gpucause/internal/probe"
	"github.com/gpucause/gpucause/internal/probesite"
)

const (
	costRounds = 9
	costCalls  = 100_000
)

// costSite is one instruction to probe.
type costSite struct {
	function string
	offset   uint64 // in the file
}

// costVariant is a way to probe it.
type costVariant struct {
	name   string
	attach func(t *testing.T, site costSite) io.Closer
}

// TestCostPerCall measures what a probed call costs its caller, for several ways
// to probe the same instruction in turn, and prints the least of some rounds.
func TestCostPerCall(t *testing.T) {
	requireBench(t)
	library := filepath.Join(fakecuda(t), "libprologues.so")
	a, rows := loadCostPrograms(t)
	variants := []costVariant{
		{"untraced", func(*testing.T, costSite) io.Closer { return io.NopCloser(nil) }},
		{"empty pair", func(t *testing.T, s costSite) io.Closer {
			links, err := attachEmpty(a.mechanism, library, s.offset)
			require.NoError(t, err)
			return links
		}},
	}
	for _, row := range rows {
		variants = append(variants, costVariant{"ours: " + row.Symbol, func(t *testing.T, s costSite) io.Closer {
			links, err := a.attachAll(library, []point{{Probe: row.ID, Offset: s.offset}})
			require.NoError(t, err)
			return links
		}})
	}
	t.Logf("mechanism %s; ns per call, least of %d rounds of %d calls", a.mechanism, costRounds, costCalls)
	for _, function := range []string{"f_push", "f_endbr64_push", "f_cmpl", "f_nop5"} {
		first, chosen := costSites(t, library, function)
		reportCosts(t, library, "at the chosen site", chosen, variants)
		if first.offset != chosen.offset {
			reportCosts(t, library, "at the first byte", first, variants[:3])
		}
	}
}

func reportCosts(t *testing.T, library, where string, site costSite, variants []costVariant) {
	best := make([]float64, len(variants))
	for range costRounds {
		for i, v := range variants {
			links := v.attach(t, site)
			ns := timeCalls(t, library, site.function)
			require.NoError(t, links.Close())
			if best[i] == 0 || ns < best[i] {
				best[i] = ns
			}
		}
	}
	for i, v := range variants {
		ratio := ""
		if i > 1 {
			ratio = fmt.Sprintf("%.2f of the empty pair", best[i]/best[1])
		}
		t.Logf("%-16s %-20s %-32s %9.1f ns  %s", site.function, where, v.name, best[i], ratio)
	}
}

func timeCalls(t *testing.T, library, function string) float64 {
	t.Helper()
	out, err := exec.Command(filepath.Join(filepath.Dir(library), "bench-calls"), function, fmt.Sprint(costCalls), "lib="+library).Output()
	require.NoError(t, err)
	var name string
	var ns float64
	_, err = fmt.Sscan(strings.ReplaceAll(string(out), "ns/call", ""), &name, &ns)
	require.NoError(t, err, "%s", out)
	return ns
}

// costSites returns the first byte of a function and the site that probesite chooses.
func costSites(t *testing.T, library, function string) (first, chosen costSite) {
	t.Helper()
	file, err := elf.Open(library)
	require.NoError(t, err)
	defer file.Close()
	symbols, err := file.DynamicSymbols()
	require.NoError(t, err)
	i := slices.IndexFunc(symbols, func(s elf.Symbol) bool { return s.Name == function })
	text := file.Section(".text")
	code := make([]byte, symbols[i].Size)
	_, err = text.ReadAt(code, int64(symbols[i].Value-text.Addr))
	require.NoError(t, err)
	site, err := probesite.Select(runtime.GOARCH, code, symbols[i].Value, probesite.Options{})
	require.NoError(t, err)
	offset := symbols[i].Value - text.Addr + text.Offset
	return costSite{function, offset}, costSite{function, offset + site.Offset}
}

// loadCostPrograms loads our programs and names the rows to measure: a call
// without arguments in memory, and a launch.
func loadCostPrograms(t *testing.T) (*attacher, []probe.Probe) {
	t.Helper()
	settings := DefaultSettings()
	objects, mechanism, _, err := loadObjects(settings)
	require.NoError(t, err)
	_, err = newTally(&objects.GpucauseMaps)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, closeObjects(objects)) })
	var rows []probe.Probe
	for _, symbol := range []string{"cudaStreamSynchronize", "cudaLaunchKernel"} {
		row, found := probe.Find(symbol)
		require.True(t, found)
		rows = append(rows, row)
	}
	return &attacher{mechanism: mechanism, entry: objects.CallEntry, exit: objects.CallReturn, session: objects.CallSession}, rows
}
