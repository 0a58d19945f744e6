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

// costSite is one instruction to probe, as one function of the catalogue.
type costSite struct {
	file     string
	function string
	row      string
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
	a := loadCostPrograms(t)
	variants := []costVariant{
		{"untraced", func(*testing.T, costSite) io.Closer { return io.NopCloser(nil) }},
		{"empty pair", func(t *testing.T, s costSite) io.Closer {
			links, err := attachEmpty(a.mechanism, s.file, s.offset)
			require.NoError(t, err)
			return links
		}},
		{"ours", func(t *testing.T, s costSite) io.Closer {
			row, found := probe.Find(s.row)
			require.True(t, found)
			links, err := a.attachAll(s.file, []point{{Probe: row.ID, Offset: s.offset}})
			require.NoError(t, err)
			return links
		}},
	}
	t.Logf("mechanism %s; ns per call, least of %d rounds of %d calls", a.mechanism, costRounds, costCalls)
	for _, c := range []struct{ file, function, row string }{
		{"libprologues.so", "f_push", "cudaStreamSynchronize"},
		{"libprologues.so", "f_nop5", "cudaStreamSynchronize"},
		{"libprologues.so", "f_endbr64_push", "cudaStreamSynchronize"},
		{"libprologues.so", "f_cmpl", "cudaStreamSynchronize"},
		{"libcudart.so.12", "cudaLaunchKernel", "cudaLaunchKernel"},
		{"libcuda.so.1", "cuStreamSynchronize", "cuStreamSynchronize"},
	} {
		first, chosen := costSites(t, filepath.Join(fakecuda(t), c.file), c.function, c.row)
		reportCosts(t, "at the chosen site", chosen, variants)
		if first.offset != chosen.offset {
			reportCosts(t, "at the first byte", first, variants)
		}
	}
}

func reportCosts(t *testing.T, where string, site costSite, variants []costVariant) {
	best := make([]float64, len(variants))
	for range costRounds {
		for i, v := range variants {
			links := v.attach(t, site)
			ns := timeCalls(t, site)
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

func timeCalls(t *testing.T, site costSite) float64 {
	t.Helper()
	args := []string{site.function, fmt.Sprint(costCalls)}
	if strings.HasPrefix(site.function, "f_") {
		args = append(args, "lib="+site.file)
	}
	if site.function == "cudaLaunchKernel" {
		args = append(args, "func=gemm")
	}
	out, err := exec.Command(filepath.Join(filepath.Dir(site.file), "bench-calls"), args...).Output()
	require.NoError(t, err)
	var name string
	var ns float64
	_, err = fmt.Sscan(strings.ReplaceAll(string(out), "ns/call", ""), &name, &ns)
	require.NoError(t, err, "%s", out)
	return ns
}

// costSites returns the first byte of a function and the site that probesite chooses.
func costSites(t *testing.T, library, function, row string) (first, chosen costSite) {
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
	return costSite{library, function, row, offset}, costSite{library, function, row, offset + site.Offset}
}

// loadCostPrograms loads our programs, with their counters ready.
func loadCostPrograms(t *testing.T) *attacher {
	t.Helper()
	objects, mechanism, _, err := loadObjects(DefaultSettings())
	require.NoError(t, err)
	_, err = newTally(&objects.GpucauseMaps)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, closeObjects(objects)) })
	return &attacher{mechanism: mechanism, entry: objects.CallEntry, exit: objects.CallReturn, session: objects.CallSession}
}
