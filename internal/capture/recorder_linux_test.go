//go:build amd64 || arm64

package capture

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
	"github.com/gpucause/gpucause/internal/probe"
)

// recorder is a session and all that it has told.
type recorder struct {
	t       *testing.T
	session *Session

	calls   []event.Call
	offCPU  []event.OffCPU
	cycles  []event.Cycle
	changes []event.ProcessChange
	names   map[uint64]string
	same    map[uint64]uint64 // handles that stand for the function of another
	samples []event.CallSample
	waits   []event.OffCPUSample
	errors  []event.ErrorSample
	memory  map[event.PID]int64

	communicators []event.Communicator
	collectives   []event.Collective
	completions   []event.Completion

	snapshots func(*event.Snapshot) // sees every snapshot, if set

	told, counted uint64 // calls of all processes: records, and in samples
}

// startRecorder opens a session that is attached to the simulated CUDA stack
// when it returns: a process that only waits maps the libraries meanwhile.
func startRecorder(t *testing.T, settings Settings) *recorder {
	t.Helper()
	requireKernel(t)
	keeper := workload(t, "-")
	keeper.Stdin = strings.NewReader("sleep 600s\n")
	require.NoError(t, keeper.Start())
	t.Cleanup(func() {
		_ = keeper.Process.Kill()
		_ = keeper.Wait()
	})
	waitMapped(t, keeper.Process.Pid)
	session, err := Open(context.Background(), settings, zaptest.NewLogger(t, zaptest.Level(zap.WarnLevel)))
	require.NoError(t, err)
	r := newRecorder(t, session)
	t.Cleanup(func() { require.NoError(t, session.Close()) })
	require.NotEmpty(t, session.Report().Libraries)
	return r
}

func newRecorder(t *testing.T, session *Session) *recorder {
	return &recorder{
		t: t, session: session,
		names: make(map[uint64]string), same: make(map[uint64]uint64), memory: make(map[event.PID]int64),
	}
}

func workload(t *testing.T, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(fakecuda(t), "workload"), args...)
	cmd.Stderr = os.Stderr
	return cmd
}

func waitMapped(t *testing.T, pid int) {
	t.Helper()
	require.Eventually(t, func() bool {
		mapped, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "maps"))
		return err == nil && bytes.Contains(mapped, []byte("libcuda.so.1")) && bytes.Contains(mapped, []byte("libcudart.so.12"))
	}, 10*time.Second, 10*time.Millisecond)
}

// drain reads what is in the ring buffer.
func (r *recorder) drain() {
	r.t.Helper()
	require.NoError(r.t, r.session.Drain(func(e *event.Record) {
		switch e.Kind {
		case event.KindCall:
			r.told++
			r.calls = append(r.calls, e.Call)
		case event.KindOffCPU:
			r.offCPU = append(r.offCPU, e.OffCPU)
		case event.KindProcess:
			r.changes = append(r.changes, e.Process)
		case event.KindCycle:
			r.cycles = append(r.cycles, e.Cycle)
		case event.KindCommunicator:
			r.communicators = append(r.communicators, e.Communicator)
		case event.KindCollective:
			r.collectives = append(r.collectives, e.Collective)
		case event.KindCompletion:
			r.completions = append(r.completions, e.Completion)
		case event.KindFunctionName:
			if e.FunctionName.SameAs != 0 {
				r.same[e.FunctionName.Handle] = e.FunctionName.SameAs
			} else {
				r.names[e.FunctionName.Handle] = e.FunctionName.Name()
			}
		}
	}))
}

// collect adds a snapshot.
func (r *recorder) collect() {
	r.t.Helper()
	s, err := r.session.Snapshot()
	require.NoError(r.t, err)
	if r.snapshots != nil {
		r.snapshots(s)
	}
	for i := range s.Calls {
		r.counted += s.Calls[i].Durations.Count()
	}
	r.samples = append(r.samples, s.Calls...)
	r.waits = append(r.waits, s.OffCPU...)
	r.errors = append(r.errors, s.Errors...)
	for _, m := range s.Memory {
		r.memory[m.Process.PID] = m.Allocated
	}
}

// follow drains until the command has ended, and once more.
func (r *recorder) follow(cmd *exec.Cmd) {
	r.t.Helper()
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case err := <-done:
			require.NoError(r.t, err)
			r.drain()
			r.collect()
			return
		case <-ticker.C:
			r.drain()
			r.collect()
		}
	}
}

// run runs a workload script, a file of testdata or its text, under the session
// and returns its truth.
func (r *recorder) run(script string, args ...string) *truth {
	r.t.Helper()
	file, source := filepath.Join(r.t.TempDir(), "truth"), "-"
	if !strings.Contains(script, "\n") {
		source = filepath.Join("../../testdata/scenarios/workloads", script)
	}
	cmd := workload(r.t, append([]string{source, "--truth=" + file}, args...)...)
	cmd.Stdin = strings.NewReader(script)
	require.NoError(r.t, cmd.Start())
	r.follow(cmd)
	tr := readTruth(r.t, file)
	r.keep(tr.pids)
	return tr
}

// keep forgets what other processes of the machine did meanwhile. The shared
// series, of no process, stay.
func (r *recorder) keep(pids map[event.PID]bool) {
	other := func(pid event.PID) bool { return !pids[pid] }
	r.calls = slices.DeleteFunc(r.calls, func(c event.Call) bool { return other(c.Task.Thread.PID) })
	r.offCPU = slices.DeleteFunc(r.offCPU, func(o event.OffCPU) bool { return other(o.Task.Thread.PID) })
	r.cycles = slices.DeleteFunc(r.cycles, func(c event.Cycle) bool { return other(c.Task.Thread.PID) })
	r.changes = slices.DeleteFunc(r.changes, func(c event.ProcessChange) bool { return other(c.Task.Thread.PID) })
	r.errors = slices.DeleteFunc(r.errors, func(e event.ErrorSample) bool { return other(e.Process.PID) })
	r.communicators = slices.DeleteFunc(r.communicators, func(c event.Communicator) bool { return other(c.Process.PID) })
	r.collectives = slices.DeleteFunc(r.collectives, func(c event.Collective) bool { return other(c.Task.Thread.PID) })
	r.completions = slices.DeleteFunc(r.completions, func(c event.Completion) bool { return other(c.Task.Thread.PID) })
	r.samples = slices.DeleteFunc(r.samples, func(s event.CallSample) bool { return s.Process.PID != 0 && other(s.Process.PID) })
	r.waits = slices.DeleteFunc(r.waits, func(s event.OffCPUSample) bool { return s.Process.PID != 0 && other(s.Process.PID) })
}

// counts sums the samples by function and thread.
func (r *recorder) counts() map[countKey]uint64 {
	counts := make(map[countKey]uint64)
	for _, s := range r.samples {
		if n := s.Durations.Count(); n > 0 {
			counts[countKey{s.Task.Thread, probe.Get(s.Probe).Symbol}] += n
		}
	}
	return counts
}

// records of calls of one symbol.
func (r *recorder) callsOf(symbol string) []event.Call {
	var found []event.Call
	for _, c := range r.calls {
		if probe.Get(c.Probe).Symbol == symbol {
			found = append(found, c)
		}
	}
	return found
}

type countKey struct {
	thread event.Thread
	symbol string
}

// truth is what the workload says that it did.
type truth struct {
	pids   map[event.PID]bool
	counts map[countKey]uint64
	waits  []truthWait

	collectives map[collectiveKey]truthCollective
}

// collectiveKey is a collective of a process that has one communicator.
type collectiveKey struct {
	pid      event.PID
	sequence uint64
}

type truthCollective struct {
	PID       event.PID
	Function  string
	Sequence  uint64
	Rank      int32
	Ranks     int32
	Root      int32
	Reduction int32 `json:"op"`
	Datatype  uint64
	Count     uint64
	Enqueued  ktime.Time `json:"enqueue_ns"`
}

type truthWait struct {
	Thread     string
	TID        event.TID
	Kind, Name string
	Inside     string
	Other      event.TID     `json:"other_tid"`
	Start      ktime.Time    `json:"start_ns"`
	End        ktime.Time    `json:"end_ns"`
	Duration   time.Duration `json:"duration_ns"`
}

// lateTruth is the truth of a process whose libraries were probed after it had
// mapped them: without the functions that it registered until then.
func lateTruth(t *testing.T, path string) *truth {
	t.Helper()
	tr := readTruth(t, path)
	maps.DeleteFunc(tr.counts, func(key countKey, _ uint64) bool { return key.symbol == "__cudaRegisterFunction" })
	return tr
}

func readTruth(t *testing.T, path string) *truth {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	tr := &truth{
		pids: make(map[event.PID]bool), counts: make(map[countKey]uint64), collectives: make(map[collectiveKey]truthCollective),
	}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var line struct {
			Type, Layer, Function string
			PID                   event.PID
			TID                   event.TID
			Count                 uint64
		}
		require.NoError(t, json.Unmarshal(lines.Bytes(), &line))
		tr.pids[line.PID] = true
		switch line.Type {
		case "calls":
			if _, traced := probe.Find(line.Function); traced && line.Layer != "direct" {
				tr.counts[countKey{event.Thread{PID: line.PID, TID: line.TID}, line.Function}] += line.Count
			}
		case "collective":
			var c truthCollective
			require.NoError(t, json.Unmarshal(lines.Bytes(), &c))
			tr.collectives[collectiveKey{c.PID, c.Sequence}] = c
		case "wait":
			var w truthWait
			require.NoError(t, json.Unmarshal(lines.Bytes(), &w))
			tr.waits = append(tr.waits, w)
		}
	}
	return tr
}
