package threadcontext

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/target"
)

// fakecuda is the folder with the programs that publish thread contexts.
func fakecuda(t *testing.T) string {
	t.Helper()
	out, err := filepath.Abs("../../testdata/fakecuda/out")
	require.NoError(t, err)
	_, err = os.Stat(filepath.Join(out, "publisher"))
	require.NoError(t, err, "build it with: make -C testdata/fakecuda")
	return out
}

// published is a thread that tells where it keeps its context.
type published struct {
	pid          event.PID
	slot, thread uint64
}

// publish runs a script until it has printed where its thread keeps its context.
func publish(t *testing.T, program *exec.Cmd, script string) published {
	t.Helper()
	program.Stderr = os.Stderr
	in, err := program.StdinPipe()
	require.NoError(t, err)
	out, err := program.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, program.Start())
	t.Cleanup(func() {
		_ = program.Process.Kill()
		_ = program.Wait()
	})
	_, err = io.WriteString(in, script+"\nsleep 600s\n")
	require.NoError(t, err)
	require.NoError(t, in.Close())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	p := published{pid: event.PID(program.Process.Pid)}
	_, err = fmt.Sscanf(line, "%v %v", &p.slot, &p.thread)
	require.NoError(t, err, line)
	return p
}

func word(t *testing.T, pid event.PID, address uint64) uint64 {
	t.Helper()
	var raw [8]byte
	require.NoError(t, target.ReadMemory(pid, address, raw[:]))
	return binary.NativeEndian.Uint64(raw[:])
}

// at returns where a thread of a process finds a place, as the Linux kernel side does.
func (p published) at(t *testing.T, place Place) uint64 {
	t.Helper()
	if place.Module == 0 {
		return p.thread + place.Offset
	}
	vector := word(t, p.pid, p.thread+map[string]uint64{"amd64": 8, "arm64": 0}[runtime.GOARCH])
	require.LessOrEqual(t, uint64(place.Module), word(t, p.pid, vector-16))
	return word(t, p.pid, vector+16*uint64(place.Module)) + place.Offset
}

func TestFind(t *testing.T) {
	out := fakecuda(t)
	library := func(kind string) string { return filepath.Join(out, "libcontext-"+kind+".so") }
	opened := func(kind string) string { return "context-library " + library(kind) + "\n" }
	for name, test := range map[string]struct {
		program string
		preload string
		script  string
		dynamic bool
	}{
		"program":                       {program: "publisher"},
		"program, before its libraries": {program: "publisher", preload: "desc"},
		"descriptor":                    {program: "workload", script: opened("desc")},
		"own descriptor":                {program: "workload", script: opened("desc-own")},
		"descriptor, from the start":    {program: "workload", preload: "desc", script: opened("desc")},
		"module":                        {program: "workload", script: opened("gnu"), dynamic: true},
		"own module":                    {program: "workload", script: opened("gnu-own"), dynamic: true},
		"module, from the start":        {program: "workload", preload: "gnu", script: opened("gnu"), dynamic: true},
		"offset":                        {program: "workload", script: opened("initial")},
		"offset, from the start":        {program: "workload", preload: "initial", script: opened("initial")},
		"descriptor of a module":        {program: "workload", script: opened("large"), dynamic: true},
	} {
		t.Run(name, func(t *testing.T) {
			program := exec.Command(filepath.Join(out, test.program), "-")
			if test.preload != "" {
				program.Env = append(os.Environ(), "LD_PRELOAD="+library(test.preload))
			}
			finder := NewFinder("/proc")
			p := publish(t, program, test.script+"span 0af7651916cd43dd8448eb211c80319c b7ad6b7169203331\ncontext-place\n")
			for range 2 { // read, and remembered
				place, err := finder.Find(p.pid)
				require.NoError(t, err)
				require.True(t, place.Known())
				assert.Equal(t, test.dynamic, place.Module != 0)
				assert.Equal(t, p.slot, p.at(t, place))
			}
		})
	}
}

func TestFindNothing(t *testing.T) {
	finder := NewFinder("/proc")
	place, err := finder.Find(event.PID(os.Getpid()))
	require.NoError(t, err)
	assert.Equal(t, Place{}, place)
	assert.NotEmpty(t, finder.files)

	_, err = finder.Find(1 << 30)
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestTwoVariablesAreAmbiguous(t *testing.T) {
	out := fakecuda(t)
	script := strings.Join([]string{
		"context-library " + filepath.Join(out, "libcontext-desc.so"),
		"context-library " + filepath.Join(out, "libcontext-gnu.so"),
		"context-place",
	}, "\n")
	p := publish(t, exec.Command(filepath.Join(out, "workload"), "-"), script)
	_, err := NewFinder("/proc").Find(p.pid)
	require.ErrorIs(t, err, ErrAmbiguous)
}

func TestLargeFilesAreNotSearched(t *testing.T) {
	out := fakecuda(t)
	p := publish(t, exec.Command(filepath.Join(out, "publisher"), "-"), "context-place")
	files, err := target.Executables("/proc", p.pid)
	require.NoError(t, err)
	left := int64(100)
	_, err = NewFinder("/proc").examine(&files[0], &left)
	require.ErrorIs(t, err, errBudget)
}
