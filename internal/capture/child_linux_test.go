//go:build amd64 || arm64

package capture

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zaptest"
	"golang.org/x/sys/unix"

	"github.com/gpucause/gpucause/internal/event"
)

// childVariable holds the settings of a child: this test binary, run again with
// other rights, as a Collector in miniature.
const childVariable = "GPUCAUSE_TEST_CHILD"

type childSettings struct {
	Mechanism              Mechanism
	RingBytes, SampleEvery uint32
	DenyBPF                bool // forbid itself the bpf system call first
	SharedSpans            string
}

// childOpened is what Open returned.
type childOpened struct {
	Error    string
	Is       string // the sentinel that it wraps
	Programs []uint32
}

// childResult is what the session has told.
type childResult struct {
	Counts                 []childCount
	Told, Counted, Dropped uint64
	Failures               map[string]uint64
}

type childCount struct {
	PID    event.PID
	TID    event.TID
	Symbol string
	Calls  uint64
}

// child is such a process, seen from the test.
type child struct {
	t       *testing.T
	cmd     *exec.Cmd
	stdin   io.Closer
	results *json.Decoder
	opened  childOpened
}

// startChild returns once Open has returned in the child.
func startChild(t *testing.T, settings childSettings, change func(*exec.Cmd)) *child {
	t.Helper()
	text, err := json.Marshal(settings)
	require.NoError(t, err)
	results, write, err := os.Pipe()
	require.NoError(t, err)
	t.Cleanup(func() { _ = results.Close() })
	// Not by its path, which other accounts may not reach.
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestChild$")
	cmd.Env = append(os.Environ(), childVariable+"="+string(text))
	cmd.Stdout, cmd.Stderr = childOutput(t)
	cmd.ExtraFiles = []*os.File{write}
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	if change != nil {
		change(cmd)
	}
	require.NoError(t, cmd.Start())
	require.NoError(t, write.Close())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	c := &child{t: t, cmd: cmd, stdin: stdin, results: json.NewDecoder(results)}
	require.NoError(t, c.results.Decode(&c.opened))
	return c
}

// childOutput is a file, told if the test fails. Not our own output: a child that
// is still detaching keeps it open.
func childOutput(t *testing.T) (stdout, stderr *os.File) {
	t.Helper()
	file, err := os.CreateTemp(t.TempDir(), "output")
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = file.Close()
		if output, err := os.ReadFile(file.Name()); err == nil && t.Failed() {
			t.Logf("the child said: %s", output)
		}
	})
	return file, file
}

// asNobody runs a command under an account without rights, with exactly these capabilities.
func asNobody(capabilities []uintptr) func(*exec.Cmd) {
	return func(cmd *exec.Cmd) {
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Credential:  &syscall.Credential{Uid: nobody, Gid: nobody},
			AmbientCaps: capabilities,
		}
	}
}

// wrap runs a command by another one.
func wrap(cmd *exec.Cmd, words ...string) {
	own, err := os.Executable()
	if err != nil {
		own = cmd.Path // fails when it is run
	}
	outer := exec.Command(words[0], words[1:]...)
	cmd.Path, cmd.Err = outer.Path, outer.Err
	cmd.Args = append(append(outer.Args, own), cmd.Args[1:]...)
}

// result ends the session and returns what it has told. The child may live on:
// the Linux kernel takes long to detach many perf uprobes.
func (c *child) result() childResult {
	c.t.Helper()
	require.NoError(c.t, c.stdin.Close())
	var result childResult
	require.NoError(c.t, c.results.Decode(&result))
	return result
}

// finish ends the child, too.
func (c *child) finish() childResult {
	c.t.Helper()
	result := c.result()
	require.NoError(c.t, c.cmd.Wait())
	return result
}

// TestChild is what a child does; it is no test.
func TestChild(t *testing.T) {
	text := os.Getenv(childVariable)
	if text == "" {
		t.Skip("runs in a child of other tests")
	}
	var settings childSettings
	require.NoError(t, json.Unmarshal([]byte(text), &settings))
	results := json.NewEncoder(os.NewFile(3, "results"))
	if settings.DenyBPF {
		require.NoError(t, denyBPF())
	}
	session, err := Open(context.Background(), settings.session(), zaptest.NewLogger(t))
	require.NoError(t, results.Encode(describeOpen(session, err)))
	if err != nil {
		return
	}
	defer session.Close()
	require.NoError(t, results.Encode(runChild(t, session)))
}

func (s childSettings) session() Settings {
	settings := DefaultSettings()
	settings.Mechanism = s.Mechanism
	settings.SampleEvery, settings.SharedSpans = s.SampleEvery, s.SharedSpans
	if s.RingBytes != 0 {
		settings.RingBytes = s.RingBytes
	}
	return settings
}

func describeOpen(session *Session, err error) childOpened {
	if err != nil {
		opened := childOpened{Error: err.Error()}
		for _, sentinel := range []error{ErrKernelOld, ErrNoBTF, ErrCapability, ErrTracefs, ErrPIDNamespace} {
			if errors.Is(err, sentinel) {
				opened.Is = sentinel.Error()
			}
		}
		return opened
	}
	var opened childOpened
	for _, program := range programFields(&session.objects.GpucausePrograms) {
		if *program == nil {
			continue
		}
		if info, err := (*program).Info(); err == nil {
			if id, known := info.ID(); known {
				opened.Programs = append(opened.Programs, uint32(id))
			}
		}
	}
	return opened
}

// runChild drains until standard input ends, and once more.
func runChild(t *testing.T, session *Session) childResult {
	t.Helper()
	ended := make(chan struct{})
	go func() {
		_, _ = bufio.NewReader(os.Stdin).ReadString(0)
		close(ended)
	}()
	r := newRecorder(t, session)
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for done := false; !done; {
		select {
		case <-ended:
			done = true
		case <-ticker.C:
		}
		r.drain()
		r.collect()
	}
	report := session.Report()
	result := childResult{Told: r.told, Counted: r.counted, Dropped: report.Dropped[event.KindCall], Failures: report.AttachFailures}
	for key, calls := range r.counts() {
		result.Counts = append(result.Counts, childCount{PID: key.thread.PID, TID: key.thread.TID, Symbol: key.symbol, Calls: calls})
	}
	return result
}

// denyBPF makes the bpf system call fail with EPERM in this process.
func denyBPF() error {
	rules := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_BPF, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	program := unix.SockFprog{Len: uint16(len(rules)), Filter: &rules[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		return errno
	}
	return nil
}
