//go:build amd64 || arm64

package capture

import (
	"bufio"
	"bytes"
	"context"
	"debug/elf"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/probe"
	"github.com/gpucause/gpucause/internal/probesite"
)

// vendorLibraries are files of NVIDIA's, by what they are.
type vendorLibraries struct {
	driver, runtime, nccl []string
}

// requireVendorLibraries skips a test unless GPUCAUSE_VENDOR_LIBS names a folder
// below which NVIDIA's own libraries are, or is "system".
func requireVendorLibraries(t *testing.T) vendorLibraries {
	t.Helper()
	where := os.Getenv("GPUCAUSE_VENDOR_LIBS")
	var files []string
	switch where {
	case "":
		t.Skip("needs NVIDIA's own libraries: make test-vendor-libs")
	case "system":
		files = installedLibraries(t)
	default:
		files = filesBelow(t, where)
	}
	var libraries vendorLibraries
	for _, file := range files {
		libraries.add(file)
	}
	require.NotEmpty(t, append(libraries.driver, libraries.runtime...),
		"no libcuda.so.* and no libcudart.so.* in %s: install them, or run testdata/vendorlibs/get.sh", where)
	return libraries
}

func (v *vendorLibraries) add(file string) {
	for prefix, to := range map[string]*[]string{"libcuda.so.": &v.driver, "libcudart.so.": &v.runtime, "libnccl.so.": &v.nccl} {
		if strings.HasPrefix(filepath.Base(file), prefix) && !slices.Contains(*to, file) {
			*to = append(*to, file)
		}
	}
}

// installedLibraries asks the dynamic linker for its cache.
func installedLibraries(t *testing.T) []string {
	t.Helper()
	cache, err := exec.Command("/sbin/ldconfig", "-p").Output()
	require.NoError(t, err)
	var files []string
	for line := range strings.Lines(string(cache)) {
		if _, path, found := strings.Cut(line, " => "); found {
			if file, err := filepath.EvalSymlinks(strings.TrimSpace(path)); err == nil {
				files = append(files, file)
			}
		}
	}
	return files
}

func filesBelow(t *testing.T, folder string) []string {
	t.Helper()
	var files []string
	require.NoError(t, filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			files = append(files, path)
		}
		return err
	}))
	return files
}

// Every function of the catalogue that a real library exports gets a probe site.
func TestVendorSites(t *testing.T) {
	libraries := requireVendorLibraries(t)
	for _, path := range append(libraries.driver, libraries.runtime...) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			exported := exportedFunctions(t, path)
			selection := selectSites(t, path)
			placed := make(map[string]bool)
			for _, found := range selection.Found {
				placed[found.Probe.Symbol] = true
				for _, alias := range found.Aliases {
					placed[alias] = true
				}
				assert.True(t, found.Site.ReturnOK, found.Probe.Symbol)
			}
			for _, p := range probe.All() {
				assert.Equal(t, exported[p.Symbol], placed[p.Symbol], p.Symbol)
			}
			assert.Empty(t, selection.Refused)
			t.Log(describeSites(path, selection))
		})
	}
	// The catalogue has no functions of NCCL yet: this only tells what probing them would cost.
	for _, path := range libraries.nccl {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Log(describeNCCL(t, path))
		})
	}
}

func exportedFunctions(t *testing.T, path string) map[string]bool {
	t.Helper()
	file, err := elf.Open(path)
	require.NoError(t, err)
	defer file.Close()
	symbols, err := file.DynamicSymbols()
	require.NoError(t, err)
	exported := make(map[string]bool)
	for _, s := range symbols {
		if elf.ST_TYPE(s.Info) == elf.STT_FUNC && s.Section != elf.SHN_UNDEF {
			exported[s.Name] = true
		}
	}
	return exported
}

func selectSites(t *testing.T, path string) *probesite.Selection {
	t.Helper()
	handle, err := os.Open(path)
	require.NoError(t, err)
	defer handle.Close()
	info, err := handle.Stat()
	require.NoError(t, err)
	file, err := probesite.Open(handle, info.Size())
	require.NoError(t, err)
	selection, err := file.Sites(probe.All(), siteOptions())
	require.NoError(t, err)
	return selection
}

// describeSites is a table of sites with a line of totals.
func describeSites(path string, s *probesite.Selection) string {
	var table strings.Builder
	kinds := make(map[probesite.Kind]int)
	fmt.Fprintf(&table, "%s\n", path)
	for _, found := range s.Found {
		kinds[found.Site.Kind]++
		fmt.Fprintf(&table, "  %-30s +%-3d %-14s %s", found.Probe.Symbol, found.Site.Offset, found.Site.Kind, found.Site.Insn)
		if len(found.Aliases) > 0 {
			fmt.Fprintf(&table, "  (also %s)", strings.Join(found.Aliases, ", "))
		}
		table.WriteString("\n")
	}
	for _, refused := range s.Refused {
		fmt.Fprintf(&table, "  %-30s refused: %v\n", refused.Probe.Symbol, refused.Err)
	}
	fmt.Fprintf(&table, "  not exported: %s\n", strings.Join(s.Missing, " "))
	fmt.Fprintf(&table, "SITES %s: %d emulated, %d single-stepped, %d refused, %d symbols not exported",
		filepath.Base(path), kinds[probesite.KindEmulated], kinds[probesite.KindSingleStepped], len(s.Refused), len(s.Missing))
	return table.String()
}

// describeNCCL tells what sites the functions of NCCL would get.
func describeNCCL(t *testing.T, path string) string {
	t.Helper()
	file, err := elf.Open(path)
	require.NoError(t, err)
	defer file.Close()
	text := file.Section(".text")
	code, err := text.Data()
	require.NoError(t, err)
	symbols, err := file.DynamicSymbols()
	require.NoError(t, err)
	selection := &probesite.Selection{}
	for _, s := range symbols {
		if !strings.HasPrefix(s.Name, "nccl") || s.Value < text.Addr || s.Value+s.Size > text.Addr+text.Size {
			continue
		}
		p := probe.Probe{Symbol: s.Name}
		site, err := probesite.Select(runtime.GOARCH, code[s.Value-text.Addr:][:s.Size], s.Value, siteOptions())
		if err != nil {
			selection.Refused = append(selection.Refused, probesite.Refused{Probe: p, Err: err})
			continue
		}
		selection.Found = append(selection.Found, probesite.Found{Probe: p, Site: site})
	}
	return describeSites(path, selection)
}

func siteOptions() probesite.Options {
	return probesite.Options{SingleStepsLongNOP: kernelSingleStepsNOP()}
}

// vendorCaller is testdata/vendorlibs/caller.c at work.
type vendorCaller struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout *bufio.Reader
}

// vendorCalls are the calls of one function that the caller made.
type vendorCalls struct {
	count   int
	slots   []uint64
	results []int32
}

func buildVendorCaller(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "caller")
	output, err := exec.Command("cc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", program, "../../testdata/vendorlibs/caller.c", "-ldl").CombinedOutput()
	require.NoError(t, err, "%s", output)
	return program
}

// startVendorCaller returns once the libraries are mapped.
func startVendorCaller(t *testing.T, program string, libraries []string) *vendorCaller {
	t.Helper()
	c := &vendorCaller{t: t, cmd: exec.Command(program, libraries...)}
	c.cmd.Stderr = os.Stderr
	stdin, err := c.cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := c.cmd.StdoutPipe()
	require.NoError(t, err)
	c.stdin, c.stdout = stdin, bufio.NewReader(stdout)
	require.NoError(t, c.cmd.Start())
	t.Cleanup(func() { _ = c.cmd.Process.Kill() })
	line, err := c.stdout.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "ready\n", line)
	return c
}

// finish lets it make its calls and returns what it says about them.
func (c *vendorCaller) finish() (calls map[string]vendorCalls, resolved []string) {
	c.t.Helper()
	_, err := io.WriteString(c.stdin, "go\n")
	require.NoError(c.t, err)
	output, err := io.ReadAll(c.stdout)
	require.NoError(c.t, err)
	require.NoError(c.t, c.cmd.Wait(), "the caller was harmed: %s", output)
	calls = make(map[string]vendorCalls)
	for line := range bytes.Lines(output) {
		text := strings.TrimSpace(string(line))
		if rest, found := strings.CutPrefix(text, "resolved "); found {
			resolved = append(resolved, rest)
			continue
		}
		symbol, made := parseVendorCalls(c.t, text)
		calls[symbol] = made
	}
	return calls, resolved
}

// parseVendorCalls reads "call SYMBOL COUNT SLOT... = RESULT...".
func parseVendorCalls(t *testing.T, line string) (symbol string, made vendorCalls) {
	t.Helper()
	before, after, found := strings.Cut(line, " =")
	fields := strings.Fields(before)
	require.True(t, found && len(fields) >= 3 && fields[0] == "call", line)
	var err error
	made.count, err = strconv.Atoi(fields[2])
	require.NoError(t, err)
	for _, field := range fields[3:] {
		slot, err := strconv.ParseUint(field, 16, 64)
		require.NoError(t, err)
		made.slots = append(made.slots, slot)
	}
	for field := range strings.FieldsSeq(after) {
		result, err := strconv.ParseInt(field, 10, 32)
		require.NoError(t, err)
		made.results = append(made.results, int32(result))
	}
	require.Len(t, made.results, made.count, line)
	return fields[1], made
}

// openRecorder is a recorder whose session is attached to what is mapped now.
func openRecorder(t *testing.T, settings Settings) *recorder {
	t.Helper()
	session, err := Open(context.Background(), settings, zaptest.NewLogger(t, zaptest.Level(zap.WarnLevel)))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, session.Close()) })
	return &recorder{t: t, session: session, names: make(map[uint64]string), memory: make(map[event.PID]int64)}
}

// Known calls into real libraries, without a GPU, are seen with exactly those
// arguments and results, and the libraries behave as they do untraced.
func TestVendorCalls(t *testing.T) {
	libraries := requireVendorLibraries(t)
	requireKernel(t)
	program := buildVendorCaller(t)
	for _, pair := range libraries.pairs() {
		for _, m := range []Mechanism{MechanismMulti, MechanismSession} {
			t.Run(m.String()+"/"+names(pair), func(t *testing.T) {
				untraced, _ := startVendorCaller(t, program, pair).finish()
				caller := startVendorCaller(t, program, pair)
				r := openRecorder(t, sampleAll(m))
				calls, resolved := caller.finish()
				r.drain()
				r.collect()
				r.keep(map[event.PID]bool{event.PID(caller.cmd.Process.Pid): true})
				for symbol, made := range calls {
					assert.Equal(t, untraced[symbol].results, made.results, "%s returns the same when it is traced", symbol)
				}
				r.assertVendorCalls(t, calls)
				t.Logf("CALLS %s: cuGetProcAddress: %s", names(pair), strings.Join(resolved, ", "))
			})
		}
	}
}

// pairs combines every runtime with every driver; the dynamic linker gives the
// runtime the driver that is loaded.
func (v vendorLibraries) pairs() [][]string {
	var pairs [][]string
	for _, driver := range v.driver {
		if len(v.runtime) == 0 {
			pairs = append(pairs, []string{driver})
		}
		for _, library := range v.runtime {
			pairs = append(pairs, []string{driver, library})
		}
	}
	return pairs
}

func names(paths []string) string {
	var bases []string
	for _, path := range paths {
		bases = append(bases, filepath.Base(path))
	}
	return strings.Join(bases, "+")
}

func (r *recorder) assertVendorCalls(t *testing.T, calls map[string]vendorCalls) {
	t.Helper()
	seen, functions, outermost := 0, 0, 0
	for symbol, made := range calls {
		p, traced := probe.Find(symbol)
		if !traced {
			continue
		}
		var results []int32
		for _, c := range r.callsOf(symbol) {
			if c.Parent != 0 {
				continue // the library's own
			}
			results = append(results, c.Result)
			assertVendorSlots(t, p, made.slots, c.Args)
		}
		assert.Equal(t, made.results, results, "%s: results of all calls, in order", symbol)
		seen += len(results)
		functions++
	}
	counted := uint64(0)
	for _, n := range r.counts() {
		counted += n
	}
	for _, c := range r.calls {
		if c.Parent == 0 {
			outermost++
		}
	}
	assert.Equal(t, seen, outermost, "and no others")
	assert.Equal(t, uint64(len(r.calls)), counted, "counters and records agree")
	// Its other counters are of the whole machine, where others may use CUDA meanwhile.
	assert.Zero(t, r.session.Report().Malformed)
	t.Logf("CALLS %d of %d functions made and seen with their arguments and results; %d more inside them", seen, functions, len(r.calls)-seen)
}

func assertVendorSlots(t *testing.T, p probe.Probe, want []uint64, got [probe.MaxSlots]uint64) {
	t.Helper()
	var all [probe.MaxSlots]uint64
	copy(all[:], want)
	for _, arg := range p.Args {
		assert.Equal(t, arg.Value(&all), arg.Value(&got), "%s %s", p.Symbol, arg.Key)
	}
}
