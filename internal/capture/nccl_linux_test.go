//go:build amd64 || arm64

package capture

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/probe"
)

func (r *recorder) collectivesOf(symbol string) []event.Collective {
	var found []event.Collective
	for _, c := range r.collectives {
		if probe.Get(c.Probe).Symbol == symbol {
			found = append(found, c)
		}
	}
	return found
}

// communicatorsOf are in the order of their records.
func (r *recorder) communicatorsOf(symbol string) []event.Communicator {
	var found []event.Communicator
	for _, c := range r.communicators {
		if probe.Get(c.Probe).Symbol == symbol {
			found = append(found, c)
		}
	}
	return found
}

// completed are the operations that were seen to complete, all of a communicator up to
// a number, in the order of their records.
func (r *recorder) completed() []event.Completed {
	var found []event.Completed
	for _, c := range r.completions {
		for _, completed := range c.Completed {
			if completed.Operation != 0 {
				found = append(found, completed)
			}
		}
	}
	return found
}

// operation is what is read of the arguments of a call.
type operation struct {
	count, datatype, reduction, stream uint64
	root, peer                         int32
}

func decode(c *event.Collective) operation {
	row := probe.Get(c.Probe)
	arg := func(slot uint8) uint64 {
		if slot == probe.NoSlot {
			return 0
		}
		return c.Args[slot]
	}
	return operation{
		count: arg(row.Operation.Count), datatype: uint64(uint32(arg(row.Operation.Datatype))),
		reduction: uint64(uint32(arg(row.Operation.Reduction))), stream: arg(row.StreamSlot),
		root: int32(arg(row.Operation.Root)), peer: int32(arg(row.Operation.Peer)),
	}
}

// Every argument of every operation is read from where it is: no two are alike.
func TestArgumentsOfCollectives(t *testing.T) {
	r := startRecorder(t, DefaultSettings())
	r.run(`
cudaStreamCreate out=s
cudaStreamCreate out=z
ncclCommInitAll ndev=8 out=c
ncclAllReduce send=0x1111 recv=0x2222 count=0x123456789a dtype=6 op=2 comm=c0 stream=s expect=0
ncclReduceScatter send=0x1111 recv=0x2222 count=0x223456789a dtype=7 op=3 comm=c0 stream=z expect=0
ncclReduce send=0x1111 recv=0x2222 count=0x323456789a dtype=8 op=4 root=3 comm=c0 stream=s expect=0
ncclBroadcast send=0x1111 recv=0x2222 count=0x423456789a dtype=9 root=4 comm=c0 stream=z expect=0
ncclBcast buff=0x1111 count=0x523456789a dtype=1 root=5 comm=c0 stream=s expect=0
ncclAllGather send=0x1111 recv=0x2222 count=0x623456789a dtype=2 comm=c0 stream=z expect=0
ncclAlltoAll send=0x1111 recv=0x2222 count=0x723456789a dtype=3 comm=c0 stream=s expect=0
ncclGather send=0x1111 recv=0x2222 count=0x823456789a dtype=4 root=6 comm=c0 stream=z expect=0
ncclScatter send=0x1111 recv=0x2222 count=0x923456789a dtype=5 root=7 comm=c0 stream=s expect=0
ncclSend buff=0x1111 count=0xa23456789a dtype=10 peer=2 comm=c0 stream=z expect=0
ncclRecv buff=0x2222 count=0xb23456789a dtype=11 peer=1 comm=c0 stream=s expect=0
ncclSend buff=0x1111 count=1 dtype=10 peer=1 comm=c0 stream=z expect=0
ncclSend buff=0x1111 count=2 dtype=10 peer=2 comm=c0 stream=z expect=0
ncclAllReduce count=0 dtype=6 comm=c0 stream=s expect=0
ncclAllReduce count=3 dtype=99 comm=c0 stream=s expect=4
ncclAllReduce count=3 dtype=6 comm=0x1234 stream=s expect=4
ncclAllReduce count=4 dtype=6 comm=c1 stream=s expect=0
ncclCommAbort comm=c0
ncclCommAbort comm=c1
`)
	require.NotEmpty(t, r.collectives)
	s := decode(&r.collectives[0]).stream
	z := decode(&r.collectives[1]).stream
	assert.NotEqual(t, s, z)
	serial := r.collectives[0].Serial
	type issued struct {
		symbol    string
		own       bool // of the communicator of the first
		number    uint32
		sequence  uint64
		result    int32
		arguments operation
	}
	want := []issued{
		{"ncclAllReduce", true, 1, 1, 0, operation{count: 0x123456789a, datatype: 6, reduction: 2, stream: s}},
		{"ncclReduceScatter", true, 2, 2, 0, operation{count: 0x223456789a, datatype: 7, reduction: 3, stream: z}},
		{"ncclReduce", true, 3, 3, 0, operation{count: 0x323456789a, datatype: 8, reduction: 4, root: 3, stream: s}},
		{"ncclBroadcast", true, 4, 4, 0, operation{count: 0x423456789a, datatype: 9, root: 4, stream: z}},
		{"ncclBcast", true, 5, 5, 0, operation{count: 0x523456789a, datatype: 1, root: 5, stream: s}},
		{"ncclAllGather", true, 6, 6, 0, operation{count: 0x623456789a, datatype: 2, stream: z}},
		{"ncclAlltoAll", true, 7, 7, 0, operation{count: 0x723456789a, datatype: 3, stream: s}},
		{"ncclGather", true, 8, 8, 0, operation{count: 0x823456789a, datatype: 4, root: 6, stream: z}},
		{"ncclScatter", true, 9, 9, 0, operation{count: 0x923456789a, datatype: 5, root: 7, stream: s}},
		{"ncclSend", true, 10, 1, 0, operation{count: 0xa23456789a, datatype: 10, peer: 2, stream: z}},
		{"ncclRecv", true, 11, 1, 0, operation{count: 0xb23456789a, datatype: 11, peer: 1, stream: s}},
		{"ncclSend", true, 12, 1, 0, operation{count: 1, datatype: 10, peer: 1, stream: z}},
		{"ncclSend", true, 13, 2, 0, operation{count: 2, datatype: 10, peer: 2, stream: z}},
		{"ncclAllReduce", true, 0, 0, 4, operation{count: 3, datatype: 99, stream: s}},
		{"ncclAllReduce", false, 1, 1, 0, operation{count: 4, datatype: 6, stream: s}},
	}
	var got []issued
	for i := range r.collectives {
		c := &r.collectives[i]
		got = append(got, issued{probe.Get(c.Probe).Symbol, c.Serial == serial, c.Operation, c.Sequence, c.Result, decode(c)})
	}
	assert.Equal(t, want, got)
}

// The unique id is read wherever the convention puts it, whole, with rank and size.
func TestIdentities(t *testing.T) {
	r := startRecorder(t, DefaultSettings())
	r.run(`
nccl-id a seed=3
nccl-id b seed=40
nccl-id c seed=90
process one { ncclCommInitRank nranks=2 id=a rank=0 out=x expect=0; ncclCommInitRankConfig nranks=3 id=b rank=2 out=x expect=0; ncclCommInitRankScalable nranks=2 rank=0 nid=1 id=c out=x expect=0 }
process two { ncclCommInitRank nranks=2 id=a rank=1 out=x expect=0; ncclCommInitRankConfig nranks=3 id=b rank=0 out=x expect=0; ncclCommInitRankScalable nranks=2 rank=1 nid=1 id=c out=x expect=0 }
process three { ncclCommInitRankConfig nranks=3 id=b rank=1 out=x expect=0 }
join
`)
	type made struct {
		symbol string
		seed   byte
		size   uint64
		rank   uint64
	}
	var got []made
	for _, c := range r.communicators {
		row := probe.Get(c.Probe)
		for i, b := range c.Identity {
			require.Equal(t, c.Identity[0]+byte(i), b, "%s: byte %d", row.Symbol, i)
		}
		got = append(got, made{row.Symbol, c.Identity[0], c.Args[row.Communicator.Size], c.Args[row.Communicator.Rank]})
	}
	assert.ElementsMatch(t, []made{
		{"ncclCommInitRank", 3, 2, 0},
		{"ncclCommInitRank", 3, 2, 1},
		{"ncclCommInitRankConfig", 40, 3, 2},
		{"ncclCommInitRankConfig", 40, 3, 0},
		{"ncclCommInitRankConfig", 40, 3, 1},
		{"ncclCommInitRankScalable", 90, 2, 0},
		{"ncclCommInitRankScalable", 90, 2, 1},
	}, got)
}

// Children name their parent, the how-manieth of it they are, and what they were
// made by.
func TestDerivedCommunicators(t *testing.T) {
	r := startRecorder(t, DefaultSettings())
	r.run(`
ncclCommInitAll ndev=4 out=c
ncclGroupStart
ncclCommSplit comm=c0 color=7 key=0 out=s0; ncclCommSplit comm=c1 color=7 key=0 out=s1
ncclCommSplit comm=c2 color=9 key=0 out=s2; ncclCommSplit comm=c3 color=-1 key=0 out=none
ncclGroupEnd expect=0
ncclGroupStart
ncclCommSplit comm=c0 color=5 key=0 out=t0; ncclCommSplit comm=c1 color=5 key=0 out=t1
ncclCommSplit comm=c2 color=5 key=0 out=t2; ncclCommSplit comm=c3 color=5 key=0 out=t3
ncclGroupEnd expect=0
ncclGroupStart
ncclCommShrink comm=t0 exclude=1,3 out=h0; ncclCommShrink comm=t2 exclude=1,3 out=h2
ncclGroupEnd expect=0
ncclCommCount comm=h2 out=n
ncclCommUserRank comm=h2 out=n
ncclCommGetUniqueId comm=h0 out=grow
ncclGroupStart
ncclCommGrow comm=h0 nranks=3 id=grow rank=-1 out=g0; ncclCommGrow comm=h2 nranks=3 rank=-1 out=g1; ncclCommGrow nranks=3 id=grow rank=2 out=g2
ncclGroupEnd expect=0
ncclCommDestroy comm=g0
`)
	all := r.communicatorsOf("ncclCommInitAll")
	require.Len(t, all, 4)
	for i, c := range all {
		assert.EqualValues(t, i, c.Value)
	}
	serials := func(of []event.Communicator) (serials []event.Serial) {
		for _, c := range of {
			serials = append(serials, c.Serial)
		}
		return serials
	}
	parents := func(of []event.Communicator) (parents []event.Serial) {
		for _, c := range of {
			parents = append(parents, c.Parent)
		}
		return parents
	}
	split := r.communicatorsOf("ncclCommSplit")
	require.Len(t, split, 8)
	assert.Equal(t, append(serials(all), serials(all)...), parents(split))
	for i, c := range split {
		assert.EqualValues(t, 1+i/4, c.Value, "the how-manieth child")
		assert.Equal(t, []int32{7, 7, 9, -1, 5, 5, 5, 5}[i], int32(c.Args[probe.Get(c.Probe).Communicator.Colour]))
	}
	shrunk := r.communicatorsOf("ncclCommShrink")
	require.Len(t, shrunk, 2)
	assert.Equal(t, []event.Serial{split[4].Serial, split[6].Serial}, parents(shrunk))
	for _, c := range shrunk {
		assert.Equal(t, append([]byte{1, 0, 0, 0, 3, 0, 0, 0}, make([]byte, event.IdentitySize-8)...), c.Identity[:], "the list of ranks")
		assert.EqualValues(t, 2, c.Args[probe.Get(c.Probe).Communicator.IdentityCount])
	}
	for symbol, want := range map[string]uint64{"ncclCommCount": 2, "ncclCommUserRank": 1} {
		told := r.communicatorsOf(symbol)
		require.Len(t, told, 1, symbol)
		assert.Equal(t, want, told[0].Value)
		assert.Equal(t, shrunk[1].Serial, told[0].Serial)
	}
	grown := r.communicatorsOf("ncclCommGrow")
	require.Len(t, grown, 3)
	assert.Equal(t, []event.Serial{shrunk[0].Serial, shrunk[1].Serial, 0}, parents(grown))
	assert.NotZero(t, grown[0].Identity)
	assert.Zero(t, grown[1].Identity)
	assert.Equal(t, grown[0].Identity, grown[2].Identity)
	ended := r.communicatorsOf("ncclCommDestroy")
	require.Len(t, ended, 1)
	assert.Equal(t, grown[0].Serial, ended[0].Serial)
}

// Operations of a group are told as they are issued, and queued by its outermost
// end, once; a group without operations is not told.
func TestGroups(t *testing.T) {
	r := startRecorder(t, DefaultSettings())
	r.run(`
cudaStreamCreate out=s0; cudaStreamCreate out=s1
ncclCommInitAll ndev=2 out=c
ncclGroupStart
ncclAllReduce count=1 comm=c0 stream=s0
ncclGroupStart
ncclAllReduce count=1 comm=c1 stream=s1
ncclGroupEnd
ncclGroupEnd expect=0
ncclGroupStart
ncclGroupEnd expect=0
ncclGroupEnd expect=5
ncclGroupStart
ncclSend buff=0 count=1 peer=1 comm=c0 stream=s0
ncclRecv buff=0 count=1 peer=0 comm=c1 stream=s1
ncclAllReduce count=1 dtype=99 comm=c1 stream=s1 expect=4
ncclGroupEnd expect=4
ncclAllReduce count=1 comm=c0 stream=s0
`)
	type told struct {
		symbol string
		group  int // of those that there are
		result int32
	}
	groups := map[uint64]int{0: 0}
	var got []told
	for _, c := range r.collectives {
		if _, known := groups[c.Group]; !known {
			groups[c.Group] = len(groups)
		}
		got = append(got, told{probe.Get(c.Probe).Symbol, groups[c.Group], c.Result})
	}
	assert.Equal(t, []told{
		{"ncclAllReduce", 1, 0}, {"ncclAllReduce", 1, 0}, {"ncclGroupEnd", 1, 0},
		{"ncclSend", 2, 0}, {"ncclRecv", 2, 0}, {"ncclAllReduce", 2, 4}, {"ncclGroupEnd", 2, 4},
		{"ncclAllReduce", 0, 0},
	}, got)
}

// What is open on a communicator that is revoked, or shrunk with the abort flag, never
// completes, though synchronisations succeed then. The communicator is still there, and
// its children are as others.
func TestCommunicatorsThatAreCutShort(t *testing.T) {
	const begin = `
cudaStreamCreateWithFlags flags=1 out=s; cudaStreamCreateWithFlags flags=1 out=other; cudaEventCreate out=e
ncclCommInitAll ndev=2 devlist=0,0 out=c
ncclAllReduce count=1 comm=c0 stream=s
ncclAllReduce count=1 comm=c1 stream=other
cudaStreamSynchronize stream=s
ncclAllReduce count=1 comm=c0 stream=s
ncclAllReduce count=1 comm=c0 stream=s
`
	for symbol, tt := range map[string]struct {
		cut, after string
		completed  []int // which communicators then, by the order of their birth
	}{
		"ncclCommRevoke": {"ncclCommRevoke comm=c0 expect=0", "ncclAllReduce count=1 comm=c0 stream=s expect=5; ncclCommDestroy comm=c0", []int{1}},
		"ncclCommAbort":  {"ncclCommAbort comm=c0 expect=0", "", []int{1}},
		"ncclCommShrink": {"ncclCommShrink comm=c0 exclude=1 flags=1 out=small expect=0", "ncclAllReduce count=1 comm=small stream=s expect=0; cudaStreamSynchronize stream=s", []int{1, 2}},
	} {
		t.Run(symbol, func(t *testing.T) {
			r := startRecorder(t, DefaultSettings())
			r.run(begin + "thread watchdog { sleep 20ms; " + tt.cut + " }\ncudaStreamSynchronize stream=s expect=0\njoin\n" +
				"cudaEventRecord event=e stream=s; cudaEventSynchronize event=e; cudaDeviceSynchronize\n" + tt.after + "\n")
			var born []event.Serial
			var cuts []event.Communicator
			for _, c := range r.communicators {
				if role := probe.Get(c.Probe).Role; c.Cut {
					cuts = append(cuts, c)
				} else if role == probe.RoleBeginsAll || role == probe.RoleDerives {
					born = append(born, c.Serial)
				}
			}
			require.Len(t, cuts, 1)
			assert.Equal(t, symbol, probe.Get(cuts[0].Probe).Symbol)
			assert.Equal(t, born[0], cuts[0].Serial)
			assert.EqualValues(t, 3, cuts[0].Value)
			want := []event.Completed{{Serial: born[0], Operation: 1}}
			for _, i := range tt.completed {
				want = append(want, event.Completed{Serial: born[i], Operation: 1})
			}
			assert.Equal(t, want, r.completed())
		})
	}
}

// A shrink without the flag cuts nothing.
func TestShrinkThatWaits(t *testing.T) {
	r := startRecorder(t, DefaultSettings())
	r.run(`
cudaStreamCreateWithFlags flags=1 out=s; cudaStreamCreateWithFlags flags=1 out=other
ncclCommInitAll ndev=2 devlist=0,0 out=c
ncclAllReduce count=1 comm=c0 stream=s
ncclAllReduce count=1 comm=c1 stream=other
ncclCommShrink comm=c0 exclude=1 out=small
cudaStreamSynchronize stream=s
`)
	shrunk := r.communicatorsOf("ncclCommShrink")
	require.Len(t, shrunk, 1)
	assert.False(t, shrunk[0].Cut)
	assert.Len(t, r.completions, 1)
}

// What is captured into a CUDA graph is told as that, and is not on its GPU stream.
func TestCapturedOperations(t *testing.T) {
	r := startRecorder(t, DefaultSettings())
	r.run(`
cudaStreamCreateWithFlags flags=1 out=s
ncclCommInitAll ndev=1 out=c
ncclAllReduce count=1 comm=c0 stream=s
cudaStreamSynchronize stream=s
cudaStreamBeginCapture stream=s mode=0
ncclAllReduce count=2 comm=c0 stream=s
ncclGroupStart
ncclAllReduce count=3 comm=c0 stream=s
ncclGroupEnd
cudaStreamEndCapture stream=s out=graph
cudaDeviceSynchronize
ncclAllReduce count=4 comm=c0 stream=s
cudaStreamSynchronize stream=s
`)
	var captured []bool
	for _, c := range r.collectivesOf("ncclAllReduce") {
		captured = append(captured, c.Captured)
		assert.EqualValues(t, len(captured), c.Sequence)
	}
	assert.Equal(t, []bool{false, true, true, false}, captured)
	assert.Empty(t, r.collectivesOf("ncclGroupEnd"))
	require.Len(t, r.completions, 2)
	assert.EqualValues(t, 4, r.completions[1].Completed[0].Operation)
}

// Where work depends on more communicators than there is room for, those that
// are gone or complete make room first, then the oldest.
func TestManyCommunicators(t *testing.T) {
	const operation = "ncclCommInitAll ndev=1 out=x\nncclAllReduce count=1 comm=x0 stream=s\n"
	for _, tt := range []struct {
		name, script string
		covers       int // of the communicators, the youngest
		lost         uint64
	}{
		{"gone", strings.Repeat(operation+"ncclCommDestroy comm=x0\n", 6) + operation, 1, 0},
		{"complete", strings.Repeat(operation+"cudaStreamSynchronize stream=s\n", 6) + operation, 1, 0},
		{"open", strings.Repeat(operation, 6), 4, 4}, // two each of the GPU stream and the GPU
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := startRecorder(t, DefaultSettings())
			r.run("cudaStreamCreateWithFlags flags=1 out=s\n" + tt.script + "cudaStreamSynchronize stream=s\n")
			born := r.communicatorsOf("ncclCommInitAll")
			var want []event.Serial
			for _, c := range born[len(born)-tt.covers:] {
				want = append(want, c.Serial)
			}
			require.NotEmpty(t, r.completions)
			var covers []event.Serial
			for _, completed := range r.completions[len(r.completions)-1].Completed {
				if slices.Contains(want, completed.Serial) {
					covers = append(covers, completed.Serial)
				}
			}
			assert.ElementsMatch(t, want, covers)
			assert.Equal(t, tt.lost, r.session.Report().DependenciesLost)
		})
	}
}

// NCCL that is linked into another library is found there, whether the library
// exports it or not.
func TestNCCLInsideAnotherLibrary(t *testing.T) {
	for _, program := range []string{"workload-torch", "workload-torch-hidden"} {
		t.Run(program, func(t *testing.T) {
			r := startRecorder(t, DefaultSettings())
			known := len(r.session.Report().Libraries)
			ready := filepath.Join(t.TempDir(), "ready")
			cmd := exec.Command(filepath.Join(fakecuda(t), program), "-")
			cmd.Stdin = strings.NewReader("wait-file " + ready + "\ncudaStreamCreate out=s; ncclCommInitAll ndev=1 out=c; ncclAllReduce count=5 comm=c0 stream=s; cudaStreamSynchronize stream=s\n")
			cmd.Stderr = os.Stderr
			require.NoError(t, cmd.Start())
			t.Cleanup(func() { _ = cmd.Process.Kill() })
			require.Eventually(t, func() bool { return len(r.session.Report().Libraries) > known }, 5*time.Second, 10*time.Millisecond)
			require.NoError(t, os.WriteFile(ready, nil, 0o600))
			r.follow(cmd)
			r.keep(map[event.PID]bool{event.PID(cmd.Process.Pid): true})
			assert.Len(t, r.communicatorsOf("ncclCommInitAll"), 1)
			assert.Len(t, r.collectivesOf("ncclAllReduce"), 1)
			assert.Len(t, r.completions, 1)
		})
	}
}

// Of eight processes that issue 10,007 collectives each, every one is told, with
// its number and all of its arguments; what told of it ends after it was queued.
func TestExactCollectives(t *testing.T) {
	settings := DefaultSettings()
	settings.RingBytes = 64 << 20
	r := startRecorder(t, settings)
	tr := r.run("nccl-exact.wl", "--collectives=1")
	require.Len(t, tr.collectives, 8*10_007)
	require.Zero(t, r.session.Report().Dropped[event.KindCollective])
	require.Len(t, r.communicatorsOf("ncclCommInitRank"), 8)
	ranks := map[event.PID][2]uint64{} // and how many there are
	for _, c := range r.communicatorsOf("ncclCommInitRank") {
		row := probe.Get(c.Probe)
		ranks[c.Process.PID] = [2]uint64{c.Args[row.Communicator.Rank], c.Args[row.Communicator.Size]}
		assert.Equal(t, r.communicators[0].Identity, c.Identity)
	}
	told := 0
	for i := range r.collectives {
		c := &r.collectives[i]
		key := collectiveKey{c.Task.Thread.PID, c.Sequence}
		want, ok := tr.collectives[key]
		if !ok {
			t.Fatalf("%+v did not happen, or was told before", key)
		}
		delete(tr.collectives, key)
		told++
		row := probe.Get(c.Probe)
		function := row.Function
		if function == "ncclBcast" {
			function = "ncclBroadcast" // which it is
		}
		args := decode(c)
		got := truthCollective{
			PID: key.pid, Function: function, Sequence: c.Sequence,
			Rank: int32(ranks[key.pid][0]), Ranks: int32(ranks[key.pid][1]),
			Root: -1, Reduction: -1, Datatype: args.datatype, Count: args.count, Enqueued: want.Enqueued,
		}
		if row.Operation.Root != probe.NoSlot {
			got.Root = args.root
		}
		if row.Operation.Reduction != probe.NoSlot {
			got.Reduction = int32(args.reduction)
		}
		require.Equal(t, want, got)
		require.LessOrEqual(t, c.Start, want.Enqueued)
		require.GreaterOrEqual(t, c.End, want.Enqueued)
		require.EqualValues(t, c.Sequence, c.Operation)
	}
	assert.Equal(t, 8*10_007, told)
	assert.Empty(t, tr.collectives)
}
