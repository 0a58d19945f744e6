package target

import (
	"debug/elf"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/probe"
	"github.com/gpucause/gpucause/internal/probesite/elffixture"
)

// cudaLibrary is an ELF file of this machine with two driver functions.
func cudaLibrary() []byte {
	machine, nop := elf.EM_X86_64, []byte{0x90, 0xc3}
	if runtime.GOARCH == "arm64" {
		machine, nop = elf.EM_AARCH64, []byte{0x1f, 0x20, 0x03, 0xd5}
	}
	return elffixture.Image{Machine: machine, Dynamic: []elffixture.Symbol{
		elffixture.Function("cuLaunchKernel", nop...),
		elffixture.Function("cuStreamSynchronize", nop...),
	}}.Bytes()
}

// mapFile writes a file and maps it into this process.
func mapFile(t *testing.T, name string, content []byte) (path string, m Mapping) {
	t.Helper()
	path = filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, content, 0o600))
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	memory, err := unix.Mmap(int(file.Fd()), 0, len(content), unix.PROT_READ, unix.MAP_PRIVATE)
	require.NoError(t, err)
	t.Cleanup(func() { _ = unix.Munmap(memory) })
	return path, mappingOf(t, path)
}

// mappingOf looks path up in this process's mappings, as iter/task_vma would.
func mappingOf(t *testing.T, path string) Mapping {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	require.NoError(t, err)
	for text := range strings.Lines(string(maps)) {
		line, ok := parseMapsLine(strings.TrimSuffix(text, "\n"))
		if ok && line.path == path {
			return Mapping{
				PID: event.PID(os.Getpid()), File: FileID{Dev: 1, Inode: line.inode},
				Start: line.start, End: line.end, Offset: line.offset,
			}
		}
	}
	require.Fail(t, "not mapped")
	return Mapping{}
}

func TestExamineLibraryOnce(t *testing.T) {
	path, m := mapFile(t, "anything.so", cudaLibrary())
	finder := NewFinder(probe.All())
	library, err := finder.Examine(m)
	require.NoError(t, err)
	require.NotNil(t, library)
	defer library.Handle.Close()
	assert.Equal(t, path, library.Path)
	assert.Equal(t, m.File, library.File)
	assert.Equal(t, []probe.Layer{probe.LayerDriver}, library.Layers)
	assert.Len(t, library.Found, 2)
	assert.Contains(t, library.Missing, "cuMemAlloc_v2")

	again, err := finder.Examine(m)
	require.NoError(t, err)
	assert.Nil(t, again)
	assert.Equal(t, FinderStats{Accepted: 1, Known: 1}, finder.Stats())

	finder.Forget(m.File)
	library, err = finder.Examine(m)
	require.NoError(t, err)
	require.NotNil(t, library)
	assert.NoError(t, library.Handle.Close())
}

func TestExamineOtherFileOnce(t *testing.T) {
	_, m := mapFile(t, "libcudart.so.12", []byte(strings.Repeat("no library ", 100)))
	finder := NewFinder(probe.All())
	for range 3 {
		library, err := finder.Examine(m)
		require.NoError(t, err)
		assert.Nil(t, library)
	}
	assert.Equal(t, FinderStats{Rejected: 1, Known: 2}, finder.Stats())
}

func TestExamineDeletedLibrary(t *testing.T) {
	path, m := mapFile(t, "libcuda.so.1", cudaLibrary())
	require.NoError(t, os.Remove(path))
	require.NoError(t, os.WriteFile(path, []byte("the new one"), 0o600))
	link := fmt.Sprintf("/proc/self/map_files/%x-%x", m.Start, m.End)
	finder := NewFinder(probe.All())
	library, err := finder.Examine(m)
	if _, denied := os.Open(link); denied != nil {
		require.ErrorIs(t, err, errDeleted)
		return
	}
	require.NoError(t, err)
	require.NotNil(t, library)
	assert.Equal(t, path, library.Path)
	assert.NoError(t, library.Handle.Close())
}

// fakeMapping is a process whose map_files cannot be opened.
func fakeMapping(t *testing.T, inode uint64, suffix string) (procRoot string, m Mapping) {
	procRoot = fakeProcess(t, map[string]string{
		"maps": fmt.Sprintf("1000-2000 r-xp 00000000 fe:01 %d /lib/libcuda.so.1%s\n", inode, suffix),
	})
	require.NoError(t, os.MkdirAll(filepath.Join(procRoot, "42/root/lib"), 0o700))
	return procRoot, Mapping{PID: 42, File: FileID{Inode: inode}, Start: 0x1000, End: 0x2000}
}

func inodeOf(t *testing.T, path string) uint64 {
	var stat unix.Stat_t
	require.NoError(t, unix.Stat(path, &stat))
	return stat.Ino
}

func TestExamineThroughRoot(t *testing.T) {
	source := filepath.Join(t.TempDir(), "libcuda.so.1")
	require.NoError(t, os.WriteFile(source, cudaLibrary(), 0o600))
	inode := inodeOf(t, source)
	procRoot, m := fakeMapping(t, inode, "")
	require.NoError(t, os.Link(source, filepath.Join(procRoot, "42/root/lib/libcuda.so.1")))

	finder := NewFinder(probe.All())
	finder.ProcRoot = procRoot
	library, err := finder.Examine(m)
	require.NoError(t, err)
	require.NotNil(t, library)
	assert.Equal(t, "/lib/libcuda.so.1", library.Path)
	assert.NoError(t, library.Handle.Close())
}

func TestExamineRefusesOtherFiles(t *testing.T) {
	place := func(_ *testing.T, procRoot string) string {
		return filepath.Join(procRoot, "42/root/lib/libcuda.so.1")
	}
	tests := map[string]struct {
		suffix string
		put    func(path string) error
		err    error
	}{
		"replaced": {"", func(path string) error { return os.WriteFile(path, cudaLibrary(), 0o600) }, errReplaced},
		"deleted":  {" (deleted)", func(path string) error { return os.WriteFile(path, cudaLibrary(), 0o600) }, errDeleted},
		"symlink":  {"", func(path string) error { return os.Symlink("/etc/passwd", path) }, errReplaced},
		"gone":     {"", func(string) error { return nil }, os.ErrNotExist},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			procRoot, m := fakeMapping(t, 1<<60, test.suffix)
			require.NoError(t, test.put(place(t, procRoot)))
			finder := NewFinder(probe.All())
			finder.ProcRoot = procRoot
			library, err := finder.Examine(m)
			assert.ErrorIs(t, err, test.err)
			assert.Nil(t, library)
			_, err = finder.Examine(m)
			require.NoError(t, err)
			assert.Equal(t, FinderStats{Failed: 1, Postponed: 1}, finder.Stats())
			_, err = finder.Examine(m)
			assert.ErrorIs(t, err, test.err, "tried again")
		})
	}
}

func TestExamineBacksOff(t *testing.T) {
	procRoot, m := fakeMapping(t, 1<<60, "")
	finder := NewFinder(probe.All())
	finder.ProcRoot = procRoot
	for range 10000 {
		_, _ = finder.Examine(m)
	}
	stats := finder.Stats()
	assert.EqualValues(t, 10000, stats.Failed+stats.Postponed)
	assert.Less(t, stats.Failed, uint64(25))

	path := filepath.Join(procRoot, "42/root/lib/libcuda.so.1")
	require.NoError(t, os.WriteFile(path, cudaLibrary(), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(procRoot, "42/maps"),
		fmt.Appendf(nil, "1000-2000 r-xp 00000000 fe:01 1 /lib/libcuda.so.1\n"), 0o600))
	m.File.Inode = inodeOf(t, path) // another file: not held back
	library, err := finder.Examine(m)
	require.NoError(t, err)
	require.NotNil(t, library)
	assert.NoError(t, library.Handle.Close())
}

func TestExamineNeverBlocksOnFIFO(t *testing.T) {
	procRoot, m := fakeMapping(t, 1<<60, "")
	require.NoError(t, unix.Mkfifo(filepath.Join(procRoot, "42/root/lib/libcuda.so.1"), 0o600))
	finder := NewFinder(probe.All())
	finder.ProcRoot = procRoot
	_, err := finder.Examine(m)
	assert.ErrorIs(t, err, errReplaced)
}

func TestExamineUnmapped(t *testing.T) {
	procRoot, m := fakeMapping(t, 1, "")
	m.Start -= 0x100
	finder := NewFinder(probe.All())
	finder.ProcRoot = procRoot
	_, err := finder.Examine(m)
	assert.ErrorIs(t, err, ErrUnmapped)
}

func TestExamineMalformedOnce(t *testing.T) {
	library := cudaLibrary()
	library[60], library[61] = 0xff, 0xff // number of sections
	_, m := mapFile(t, "libcuda.so", library)
	finder := NewFinder(probe.All())
	_, err := finder.Examine(m)
	require.Error(t, err)
	_, err = finder.Examine(m)
	require.NoError(t, err)
	assert.Equal(t, FinderStats{Rejected: 1, Malformed: 1, Known: 1}, finder.Stats())
}

func TestDecisionsAreBounded(t *testing.T) {
	d := newDecisions(3)
	for inode := range uint64(5) {
		d.at(FileID{Inode: inode}).final = true
		d.look(FileID{Inode: 0}) // keeps the first one in use
	}
	assert.Equal(t, final, d.look(FileID{Inode: 0}))
	assert.Equal(t, undecided, d.look(FileID{Inode: 1}))
	assert.Equal(t, final, d.look(FileID{Inode: 4}))
	assert.EqualValues(t, 2, d.evicted)
	assert.Len(t, d.byFile, 3)
	d.forget(FileID{Inode: 4})
	assert.Equal(t, undecided, d.look(FileID{Inode: 4}))
}

func TestExamineLeaksNoFiles(t *testing.T) {
	_, library := mapFile(t, "a.so", cudaLibrary())
	_, other := mapFile(t, "b.so", []byte(strings.Repeat("x", 100)))
	count := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		require.NoError(t, err)
		return len(entries)
	}
	finder := NewFinder(probe.All())
	before := count()
	for range 10 {
		for _, m := range []Mapping{library, other} {
			if found, err := finder.Examine(m); assert.NoError(t, err) && found != nil {
				require.NoError(t, found.Handle.Close())
			}
			finder.Forget(m.File)
		}
	}
	assert.Equal(t, before, count())
}

func TestDescribeSelf(t *testing.T) {
	t.Setenv("OTEL_SERVICE_NAME", "set after start: not seen")
	p, err := Describe("/proc", event.PID(os.Getpid()), DescribeOptions{})
	require.NoError(t, err)
	assert.EqualValues(t, os.Getppid(), p.ParentPID)
	assert.Positive(t, p.Start)
	exe, err := os.Executable()
	require.NoError(t, err)
	assert.Equal(t, filepath.Base(exe), p.Executable)
	assert.Empty(t, p.CommandLine)
}

func TestExamineDevice(t *testing.T) {
	file, err := os.OpenFile("/dev/zero", os.O_RDWR, 0)
	require.NoError(t, err)
	defer file.Close()
	memory, err := unix.Mmap(int(file.Fd()), 0, os.Getpagesize(), unix.PROT_READ, unix.MAP_PRIVATE)
	require.NoError(t, err)
	defer func() { _ = unix.Munmap(memory) }()
	finder := NewFinder(probe.All())
	library, _ := finder.Examine(mappingOf(t, "/dev/zero"))
	assert.Nil(t, library)
	assert.Zero(t, finder.Stats().Accepted)
}
