//go:build amd64 || arm64

package capture

import (
	"context"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zaptest"
	"golang.org/x/sys/unix"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/threadcontext"
)

// A span of a script, with '@' for the index of its thread, as hexadecimal digits.
const (
	spanA = "0af7651916cd43dd8448eb211c80319@ b7ad6b716920333@"
	spanB = "0af7651916cd43dd8448eb211c80319@ 00f067aa0ba902b@"
	// spanless are no spans: one of the ids is 0.
	spanlessTrace = "00000000000000000000000000000000 b7ad6b7169203331"
	spanlessSpan  = "0af7651916cd43dd8448eb211c80319c 0000000000000000"
)

// threadSpan is what a thread that has an index publishes in its context.
func threadSpan(t *testing.T, text string, index byte) event.ActiveSpan {
	t.Helper()
	s := event.ActiveSpan{Source: event.SpanSourceThread, Flags: 1}
	text = strings.ReplaceAll(text, "@", string(index))
	trace, span, _ := strings.Cut(text, " ")
	rawTrace, err := hex.DecodeString(trace)
	require.NoError(t, err)
	rawSpan, err := hex.DecodeString(span)
	require.NoError(t, err)
	copy(s.TraceID[:], rawTrace)
	copy(s.SpanID[:], rawSpan)
	return s
}

// oneCycle is a cycle of the thread.
const oneCycle = "cudaLaunchKernel func=gemm; cudaDeviceSynchronize\n"

// published is a workload that publishes contexts, as far as its script goes.
type published struct {
	r   *recorder
	cmd *exec.Cmd
	dir string
}

// publish starts a script that begins with a cycle of each of its threads and then
// waits at "wait-file $go". It returns when as many threads have been seen.
func (r *recorder) publish(cmd *exec.Cmd, threads int, script string) *published {
	r.t.Helper()
	p := &published{r: r, cmd: cmd, dir: r.t.TempDir()}
	cmd.Args = append(cmd.Args, "-", "--go="+filepath.Join(p.dir, "go"))
	cmd.Stdin = strings.NewReader(script)
	cmd.Stderr = os.Stderr
	require.NoError(r.t, cmd.Start())
	require.Eventually(r.t, func() bool {
		r.drain()
		return len(p.threads()) == threads
	}, 10*time.Second, 5*time.Millisecond)
	return p
}

func (p *published) pid() event.PID { return event.PID(p.cmd.Process.Pid) }

// threads are those that have had a cycle.
func (p *published) threads() map[event.TID]bool {
	threads := make(map[event.TID]bool)
	for _, c := range p.r.cycles {
		if c.Task.Thread.PID == p.pid() {
			threads[c.Task.Thread.TID] = true
		}
	}
	return threads
}

// place finds where the threads of the workload keep their contexts, and has them read.
func (p *published) place() {
	p.r.t.Helper()
	program, err := p.r.session.Program(p.pid())
	require.NoError(p.r.t, err)
	place, err := threadcontext.NewFinder("/proc").Find(p.pid())
	require.NoError(p.r.t, err)
	require.True(p.r.t, place.Known())
	require.NoError(p.r.t, p.r.session.PlaceThreadContext(program, place))
}

// finish has the script go on, to its end.
func (p *published) finish() {
	p.r.t.Helper()
	p.r.calls, p.r.cycles = nil, nil
	require.NoError(p.r.t, os.WriteFile(filepath.Join(p.dir, "go"), nil, 0o600))
	p.r.follow(p.cmd)
	p.r.keep(map[event.PID]bool{p.pid(): true})
}

// spans are those of the cycles that a thread ended by a synchronisation, in order.
func (p *published) spans(tid event.TID) []event.ActiveSpan {
	var spans []event.ActiveSpan
	for _, c := range p.r.cycles {
		if c.Task.Thread.TID == tid && c.EndedBy == event.CycleEndSync {
			spans = append(spans, c.Span)
		}
	}
	return spans
}

func spanSettings() Settings {
	settings := DefaultSettings()
	settings.MinCycle, settings.SampleEvery = 0, 1
	settings.ThreadSpans = true
	return settings
}

func program(t *testing.T, name string) *exec.Cmd {
	return exec.Command(filepath.Join(fakecuda(t), name))
}

// A cycle and a call are told with the span that their thread is in then, wherever
// threads keep their contexts; threads do not mix.
func TestThreadSpans(t *testing.T) {
	requireKernel(t)
	opened := func(kind string) string {
		return "context-library " + filepath.Join(fakecuda(t), "libcontext-"+kind+".so") + "\n"
	}
	for name, test := range map[string]struct{ program, script string }{
		"program":      {"publisher", ""},
		"descriptor":   {"workload", opened("desc")},
		"module":       {"workload", opened("gnu")},
		"own module":   {"workload", opened("gnu-own")},
		"large module": {"workload", opened("large")},
		"fixed place":  {"workload", opened("initial")},
	} {
		t.Run(name, func(t *testing.T) {
			r := startRecorder(t, spanSettings())
			p := r.publish(program(t, test.program), 3, test.script+untilAttached(t)+
				"thread worker count=3 {\n"+oneCycle+"wait-file $go\n"+
				oneCycle+"span "+spanA+"\n"+oneCycle+oneCycle+"span "+spanB+" flags=0\n"+oneCycle+"span-end\n"+oneCycle+
				"span "+spanA+"\n"+oneCycle+"span-end in-place\n"+oneCycle+"}\n")
			p.place()
			faults := r.session.Report().ContextFaults
			p.finish()
			indices := make(map[byte]bool)
			for tid := range p.threads() {
				spans := p.spans(tid)
				require.Len(t, spans, 7)
				index := "0123456789abcdef"[spans[1].SpanID[7]&15]
				indices[index] = true
				a, b := threadSpan(t, spanA, index), threadSpan(t, spanB, index)
				b.Flags = 0
				none := event.ActiveSpan{}
				assert.Equal(t, []event.ActiveSpan{none, a, a, b, none, a, none}, spans)
			}
			assert.Len(t, indices, 3)
			for _, c := range r.callsOf("cudaDeviceSynchronize") {
				assert.Contains(t, p.spans(c.Task.Thread.TID), c.Span)
			}
			assert.Equal(t, faults, r.session.Report().ContextFaults)
		})
	}
}

// What a thread publishes that is no span is none; what cannot be read is counted.
func TestNonsensicalThreadContexts(t *testing.T) {
	r := startRecorder(t, spanSettings())
	p := r.publish(program(t, "publisher"), 1, untilAttached(t)+oneCycle+"wait-file $go\n"+
		"span "+spanlessTrace+"\n"+oneCycle+"span "+spanlessSpan+"\n"+oneCycle+"span "+spanA+" valid=2\n"+oneCycle+
		"mark unreadable\ncontext-at 1\n"+oneCycle+"context-at 0xdead0000\n"+oneCycle+
		"context-at 0xffffffff81000000\n"+oneCycle+"context-at 0xffffffffffffffff\n"+oneCycle+"context-at 0x800000000000\n"+oneCycle+
		"span "+spanA+"\n"+oneCycle)
	p.place()
	before := r.session.Report().ContextFaults
	p.finish()
	spans := p.spans(event.TID(p.pid()))
	require.Len(t, spans, 9)
	for _, span := range spans[:8] {
		assert.Equal(t, event.ActiveSpan{}, span)
	}
	assert.Equal(t, threadSpan(t, spanA, '0'), spans[8])
	assert.GreaterOrEqual(t, r.session.Report().ContextFaults-before, uint64(5))
}

// A wrong place gives no span, whatever is there, and harms nobody.
func TestWrongPlaces(t *testing.T) {
	r := startRecorder(t, spanSettings())
	for _, place := range []threadcontext.Place{
		{Offset: 1}, {Offset: ^uint64(0)}, {Offset: 1 << 62}, {Module: 1, Offset: 1 << 40}, {Module: 60000, Offset: 8}, {Module: 3, Offset: 0},
	} {
		p := r.publish(program(t, "workload"), 1, untilAttached(t)+oneCycle+"wait-file $go\n"+oneCycle)
		program, err := r.session.Program(p.pid())
		require.NoError(t, err)
		require.NoError(t, r.session.PlaceThreadContext(program, place))
		p.finish()
		assert.Equal(t, []event.ActiveSpan{{}}, p.spans(event.TID(p.pid())), "%+v", place)
	}
}

// A place holds for the program that it was found in, and goes with its process.
func TestPlaceEndsWithItsProgram(t *testing.T) {
	r := startRecorder(t, spanSettings())
	script := filepath.Join(t.TempDir(), "again.wl")
	require.NoError(t, os.WriteFile(script, []byte("span "+spanB+"\n"+oneCycle), 0o600))
	p := r.publish(program(t, "publisher"), 1, untilAttached(t)+oneCycle+"wait-file $go\nspan "+spanA+"\n"+oneCycle+"exec self "+script+"\n")
	before, err := r.session.Program(p.pid())
	require.NoError(t, err)
	p.place()
	p.finish()
	assert.Equal(t, []event.ActiveSpan{threadSpan(t, spanA, '0'), {}}, p.spans(event.TID(p.pid())))

	_, err = r.session.Program(p.pid())
	require.ErrorIs(t, err, ErrNotTraced)
	var raw [16]byte
	require.ErrorIs(t, r.session.objects.ContextPlaces.Lookup(uint32(p.pid()), &raw), ebpf.ErrKeyNotExist)

	// What is placed too late is swept.
	require.NoError(t, r.session.PlaceThreadContext(before, threadcontext.Place{Offset: 8}))
	require.NoError(t, r.session.objects.ContextPlaces.Lookup(uint32(p.pid()), &raw))
	r.collect()
	require.ErrorIs(t, r.session.objects.ContextPlaces.Lookup(uint32(p.pid()), &raw), ebpf.ErrKeyNotExist)
	require.NoError(t, r.session.PlaceThreadContext(before, threadcontext.Place{}), "there is none any more")
}

// mountBPFFS mounts a BPF file system of the test's own, which others may look at.
func mountBPFFS(t *testing.T) string {
	t.Helper()
	requireKernel(t)
	folder, err := os.MkdirTemp("", "gpucause-bpffs") //nolint:usetesting // TempDir is closed to other accounts
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.Remove(folder)) })
	require.NoError(t, os.Chmod(folder, 0o755)) //nolint:gosec // for other accounts
	require.NoError(t, unix.Mount("bpf", folder, "bpf", 0, "mode=0755"))
	t.Cleanup(func() { require.NoError(t, unix.Unmount(folder, 0)) })
	return folder
}

func pinned(t *testing.T, bpffs string) *ebpf.Map {
	t.Helper()
	m, err := ebpf.LoadPinnedMap(filepath.Join(bpffs, "otel", "traces_ctx_v1"), nil)
	require.NoError(t, err)
	t.Cleanup(func() { m.Close() })
	return m
}

// sharedSpan is what another observer stores.
func sharedSpan(s event.ActiveSpan) [24]byte {
	var raw [24]byte
	copy(raw[:], s.TraceID[:])
	copy(raw[16:], s.SpanID[:])
	return raw
}

// What another observer tells of a thread is told of that thread only, and the
// thread's own word counts more.
func TestSharedSpans(t *testing.T) {
	bpffs := mountBPFFS(t)
	settings := spanSettings()
	settings.SharedSpans = bpffs
	r := startRecorder(t, settings)
	p := r.publish(program(t, "publisher"), 3, untilAttached(t)+
		"thread worker count=3 {\n"+oneCycle+"wait-file $go\n"+oneCycle+"span "+spanA+"\n"+oneCycle+"span-end\n"+oneCycle+"}\n")
	p.place()
	shared := pinned(t, bpffs)
	want := make(map[event.TID]event.ActiveSpan)
	for tid := range p.threads() {
		if len(want) == 2 {
			want[tid] = event.ActiveSpan{} // nothing is told of the third
			break
		}
		span := event.MakeActiveSpan(event.ActiveSpan{TraceID: [16]byte{1, 15: byte(tid)}, SpanID: [8]byte{2, 7: byte(tid)}, Source: event.SpanSourceMap})
		require.NoError(t, shared.Put(uint64(p.pid())<<32|uint64(tid), sharedSpan(span)))
		want[tid] = span
	}
	p.finish()
	for tid, span := range want {
		spans := p.spans(tid)
		require.Len(t, spans, 3)
		assert.Equal(t, span, spans[0])
		assert.Equal(t, event.SpanSourceThread, spans[1].Source)
		assert.Equal(t, span, spans[2])
	}
}

func openShared(t *testing.T, bpffs string) (*Session, error) {
	t.Helper()
	settings := DefaultSettings()
	settings.SharedSpans = bpffs
	return Open(context.Background(), settings, zaptest.NewLogger(t))
}

// Who comes first makes and pins the map, and nobody unpins it.
func TestSharedMapStays(t *testing.T) {
	bpffs := mountBPFFS(t)
	first, err := openShared(t, bpffs)
	require.NoError(t, err)
	folder, err := os.Stat(filepath.Join(bpffs, "otel"))
	require.NoError(t, err)
	assert.Equal(t, os.ModeDir|os.ModeSticky|0o700, folder.Mode())
	require.NoError(t, first.Close())

	info, err := pinned(t, bpffs).Info()
	require.NoError(t, err)
	assert.Equal(t, ebpf.LRUHash, info.Type)
	assert.Equal(t, uint32(8), info.KeySize)
	assert.Equal(t, uint32(24), info.ValueSize)
	assert.Equal(t, uint32(1<<14), info.MaxEntries)

	second, err := openShared(t, bpffs)
	require.NoError(t, err)
	again, err := second.objects.TracesCtxV1.Info()
	require.NoError(t, err)
	firstID, _ := info.ID()
	secondID, _ := again.ID()
	assert.Equal(t, firstID, secondID)
	require.NoError(t, second.Close())
	pinned(t, bpffs)
}

// Another observer's map is used as it is, whatever its size and flags.
func TestSharedMapOfAnother(t *testing.T) {
	bpffs := mountBPFFS(t)
	pin(t, bpffs, &ebpf.MapSpec{Type: ebpf.LRUHash, KeySize: 8, ValueSize: 24, MaxEntries: 77, Flags: unix.BPF_F_NO_COMMON_LRU})
	session, err := openShared(t, bpffs)
	require.NoError(t, err)
	require.NoError(t, session.Close())
}

func pin(t *testing.T, bpffs string, spec *ebpf.MapSpec) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Join(bpffs, "otel"), 0o700))
	m, err := ebpf.NewMap(spec)
	require.NoError(t, err)
	defer m.Close()
	require.NoError(t, m.Pin(filepath.Join(bpffs, "otel", "traces_ctx_v1")))
}

// A map that cannot be the shared one is said to be another, and left alone.
func TestSharedMapOfAnotherKind(t *testing.T) {
	for name, spec := range map[string]*ebpf.MapSpec{
		"type":  {Type: ebpf.Hash, KeySize: 8, ValueSize: 24, MaxEntries: 10},
		"key":   {Type: ebpf.LRUHash, KeySize: 4, ValueSize: 24, MaxEntries: 10},
		"value": {Type: ebpf.LRUHash, KeySize: 8, ValueSize: 32, MaxEntries: 10},
	} {
		t.Run(name, func(t *testing.T) {
			bpffs := mountBPFFS(t)
			pin(t, bpffs, spec)
			_, err := openShared(t, bpffs)
			require.ErrorIs(t, err, errOtherMap)
			assert.ErrorContains(t, err, "end what made it and remove it, or turn trace_context::shared_map off")
			pinned(t, bpffs)
		})
	}
}

// An account without any rights but the documented capabilities opens a map that
// is there, and cannot make one.
func TestSharedMapWithoutRoot(t *testing.T) {
	bpffs := mountBPFFS(t)
	reading := append([]uintptr{unix.CAP_DAC_READ_SEARCH}, leastCapabilities...)
	for _, capabilities := range [][]uintptr{leastCapabilities, reading} {
		child := startChild(t, childSettings{SharedSpans: bpffs}, asNobody(capabilities))
		assert.Contains(t, child.opened.Error, errForbidden.Error())
	}
	first, err := openShared(t, bpffs)
	require.NoError(t, err)
	require.NoError(t, first.Close())
	child := startChild(t, childSettings{SharedSpans: bpffs}, asNobody(leastCapabilities))
	assert.Contains(t, child.opened.Error, errForbidden.Error())
	child = startChild(t, childSettings{SharedSpans: bpffs}, asNobody(reading))
	assert.Empty(t, child.opened.Error)
	child.finish()
}

func TestSharedMapNeedsABPFFileSystem(t *testing.T) {
	requireKernel(t)
	folder := t.TempDir()
	_, err := openShared(t, folder)
	require.ErrorIs(t, err, errNoBPFFS)
	assert.ErrorContains(t, err, "mount -t bpf bpf "+folder)
	_, err = openShared(t, filepath.Join(folder, "missing"))
	require.ErrorIs(t, err, os.ErrNotExist)
}
