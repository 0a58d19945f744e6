package procfs

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/process"
)

// role makes this test's program another process of a family.
const role = "GPUCAUSE_TEST_ROLE"

func TestMain(m *testing.M) {
	if os.Getenv(role) != "" {
		os.Exit(playRole(os.Getenv(role)))
	}
	os.Exit(m.Run())
}

// playRole is the parent, which starts a child that does nothing, connects to the
// address that is its argument, and tells the child's number and its own end.
// Both end with their input.
func playRole(name string) int {
	if name == "parent" {
		child := exec.Command("/proc/self/exe")
		child.Env = []string{role + "=child"}
		child.Stdin = os.Stdin
		if err := child.Start(); err != nil {
			return 1
		}
		defer func() { _ = child.Wait() }()
		connection, err := net.Dial("tcp", os.Args[len(os.Args)-1])
		if err != nil {
			return 1
		}
		defer connection.Close()
		fmt.Println(child.Process.Pid, connection.LocalAddr())
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	return 0
}

// family is this process, one that it has started, and one that that has.
type family struct {
	parent, child int64
	local         netip.AddrPort // the parent's end of its connection to here
}

func startFamily(t *testing.T) family {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	command := exec.Command("/proc/self/exe", listener.Addr().String())
	command.Env = []string{role + "=parent"}
	input, err := command.StdinPipe()
	require.NoError(t, err)
	output, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		input.Close()
		_ = command.Wait()
	})
	line, err := bufio.NewReader(output).ReadString('\n')
	require.NoError(t, err)
	child, local, ok := strings.Cut(strings.TrimSpace(line), " ")
	require.True(t, ok)
	number, err := strconv.ParseInt(child, 10, 64)
	require.NoError(t, err)
	return family{parent: int64(command.Process.Pid), child: number, local: netip.MustParseAddrPort(local)}
}

func TestRelativesOfAProcess(t *testing.T) {
	f := startFamily(t)
	found, all := New("/proc").Relatives([]int64{f.child})
	assert.True(t, all || len(found) >= maxPerProcess)
	for _, pid := range []int64{f.child, f.parent, int64(os.Getpid())} {
		require.Contains(t, found, pid)
		r := found[pid]
		assert.Equal(t, pid, r.PID)
		assert.NotZero(t, r.Start)
		assert.NotZero(t, r.NetNS)
		assert.NotEmpty(t, r.Command)
		assert.NotEmpty(t, r.ControlPath)
		assert.NotEmpty(t, r.Title)
	}
	assert.Equal(t, f.parent, found[f.child].ParentPID)
	assert.Equal(t, int64(os.Getpid()), found[f.parent].ParentPID)
	executable, err := os.Readlink("/proc/self/exe")
	require.NoError(t, err)
	assert.Equal(t, executable, found[f.child].Executable)
	assert.NotContains(t, found, int64(1), "the first process is everybody's ancestor")

	down, _ := New("/proc").Relatives([]int64{f.parent})
	assert.Contains(t, down, f.child)
}

func TestRelativesByParentWhereTheKernelDoesNotListThem(t *testing.T) {
	f := startFamily(t)
	assert.Contains(t, New("/proc").byParent()[f.parent], f.child)
	listed, ok := New("/proc").children(f.parent)
	if ok { // CONFIG_PROC_CHILDREN
		assert.Contains(t, listed, f.child)
	}
}

func TestOwnerOfAConnection(t *testing.T) {
	f := startFamily(t)
	p := New("/proc")
	among, _ := p.Relatives([]int64{f.child})
	pid, foreign := p.Owner(f.local, among)
	assert.Equal(t, f.parent, pid)
	assert.False(t, foreign)

	strangers := process.Relatives{f.child: among[f.child]}
	pid, foreign = p.Owner(f.local, strangers)
	assert.Zero(t, pid)
	assert.True(t, foreign, "the connection is here, and none of them has it")

	pid, foreign = p.Owner(f.local, nil)
	assert.Zero(t, pid)
	assert.True(t, foreign, "it is in the network of this program")

	pid, foreign = p.Owner(netip.MustParseAddrPort("203.0.113.7:9"), among)
	assert.Zero(t, pid)
	assert.False(t, foreign, "of other machines' connections nothing is known")
}

func TestProcessesThatAreNotThere(t *testing.T) {
	for _, p := range []Proc{New("/proc"), New(t.TempDir())} {
		found, all := p.Relatives([]int64{0, -1, 1 << 40})
		assert.Empty(t, found)
		assert.True(t, all)
	}
	found, _ := New(t.TempDir()).Relatives([]int64{1, int64(os.Getpid())})
	assert.Empty(t, found)
	pid, foreign := New(t.TempDir()).Owner(netip.MustParseAddrPort("127.0.0.1:9"), nil)
	assert.Zero(t, pid)
	assert.False(t, foreign)
}

func TestForeignFilesAreOpenedWithCare(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(folder+"/hostname", []byte("vllm-0\n"+strings.Repeat("x", 10_000)), 0o600))
	text := readForeign(folder + "/hostname")
	assert.Len(t, text, maxHostName)
	assert.True(t, strings.HasPrefix(text, "vllm-0\n"))
	require.NoError(t, os.Symlink(folder+"/hostname", folder+"/link"))
	assert.Empty(t, readForeign(folder+"/link"))
	require.NoError(t, syscall.Mkfifo(folder+"/fifo", 0o600))
	assert.Empty(t, readForeign(folder+"/fifo"), "and does not wait for a writer")
	assert.Empty(t, readForeign(folder))
	assert.Empty(t, readForeign("/dev/zero"))
}
