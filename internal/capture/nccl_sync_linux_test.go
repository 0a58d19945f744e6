//go:build amd64 || arm64

package capture

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/probe"
)

// What a synchronisation waits for follows from GPU streams and events, and is told
// once, with the numbers of the operations that it covers.
func TestWhatSynchronisationsCover(t *testing.T) {
	const begin = `
cudaStreamCreateWithFlags flags=1 out=s0; cudaStreamCreateWithFlags flags=1 out=s1; cudaStreamCreateWithFlags flags=1 out=other
cudaEventCreate out=e; cudaEventCreate out=unrelated
ncclCommInitAll ndev=2 devlist=0,0 out=c
ncclAllReduce count=1 comm=c0 stream=s0
ncclAllReduce count=1 comm=c0 stream=s0
`
	const rest = "\nncclAllReduce count=1 comm=c1 stream=s1; ncclAllReduce count=1 comm=c1 stream=s1\n"
	for _, story := range []struct {
		name, script string
		// of the completion: how far each rank's operations are known to be complete
		symbol string
		covers []uint32
	}{
		{"stream", rest + "cudaStreamSynchronize stream=s0", "cudaStreamSynchronize", []uint32{2}},
		{"once", rest + "cudaStreamSynchronize stream=s0; cudaStreamSynchronize stream=s0; cudaEventRecord event=e stream=s0; cudaEventSynchronize event=e", "cudaStreamSynchronize", []uint32{2}},
		{"device", rest + "cudaDeviceSynchronize", "cudaDeviceSynchronize", []uint32{2, 2}},
		{"event", "cudaEventRecord event=e stream=s0" + rest + "cudaEventSynchronize event=e", "cudaEventSynchronize", []uint32{2}},
		{"stream that waited for an event", "cudaEventRecord event=e stream=s0; cudaStreamWaitEvent stream=other event=e" + rest + "cudaStreamSynchronize stream=other", "cudaStreamSynchronize", []uint32{2}},
		{"event before the operation", "cudaEventRecord event=e stream=other; cudaStreamWaitEvent stream=other event=e" + rest + "cudaStreamSynchronize stream=other", "", nil},
		{"event that was recorded anew", "cudaEventRecord event=e stream=s0; cudaEventRecord event=e stream=other" + rest + "cudaEventSynchronize event=e", "", nil},
		{"operations after the event", "cudaEventRecord event=e stream=s0" + rest + "ncclAllReduce count=1 comm=c0 stream=s0; cudaEventSynchronize event=e; ncclAllReduce count=1 comm=c1 stream=s1", "cudaEventSynchronize", []uint32{2}},
		{"other stream", rest + "cudaStreamSynchronize stream=other", "", nil},
		{"blocking copy on its stream", "ncclAllReduce count=1 comm=c0 stream=0\n" + rest + "ncclAllReduce count=1 comm=c1 stream=s1\ncudaMemcpy bytes=64 kind=d2h", "cudaMemcpy", []uint32{3}},
		{"copy within the GPU", "ncclAllReduce count=1 comm=c0 stream=0\n" + rest + "ncclAllReduce count=1 comm=c1 stream=s1\ncudaMemcpy bytes=64 kind=d2d", "", nil},
		{"device, of one that the process uses", "cudaSetDevice device=0\n" + rest + "cudaDeviceSynchronize", "cudaDeviceSynchronize", []uint32{2, 2}},
		{"default stream of the other device", "setting devices 2\ncudaSetDevice device=1; cudaSetDevice device=0\nncclAllReduce count=1 comm=c0 stream=0\ncudaSetDevice device=1\n" + rest + "ncclAllReduce count=1 comm=c1 stream=s1\ncudaStreamSynchronize stream=0", "", nil},
		{"query", "cudaEventRecord event=e stream=s0; cudaEventQuery event=e expect=600" + rest + "sleep 50ms; cudaEventQuery event=e expect=0", "cudaEventQuery", []uint32{2}},
		{"driver", rest + "cuStreamSynchronize stream=s0", "cuStreamSynchronize", []uint32{2}},
	} {
		t.Run(story.name, func(t *testing.T) {
			r := startRecorder(t, DefaultSettings())
			r.run(begin + story.script + "\n")
			if story.covers == nil {
				assert.Empty(t, r.completions)
				return
			}
			require.Len(t, r.completions, 1)
			c := r.completions[0]
			assert.Equal(t, story.symbol, probe.Get(c.Probe).Symbol)
			var covers []uint32
			for _, completed := range c.Completed {
				if completed.Serial != 0 {
					covers = append(covers, completed.Operation)
				}
			}
			assert.ElementsMatch(t, story.covers, covers)
			assert.Equal(t, story.name == "query", c.Pending != 0)
		})
	}
}

// What is in a group is on no GPU stream until that ends: whoever synchronises, or
// records an event, before that has nothing to do with it.
func TestSynchronisationsWithinGroups(t *testing.T) {
	const begin = `
cudaStreamCreateWithFlags flags=1 out=s; cudaStreamCreateWithFlags flags=1 out=z; cudaEventCreate out=e
ncclCommInitAll ndev=1 out=a; ncclCommInitAll ndev=1 out=b; ncclCommInitAll ndev=1 out=c
ncclCommInitAll ndev=1 out=d; ncclCommInitAll ndev=1 out=f; ncclCommInitAll ndev=1 out=g
ncclAllReduce count=1 comm=a0 stream=s
ncclGroupStart
`
	type completed struct {
		symbol       string
		communicator int // by the order of their birth
		operation    uint32
	}
	for _, tt := range []struct {
		name, script string
		want         []completed
	}{
		{"of another thread", `
ncclAllReduce count=1 comm=a0 stream=s
thread other { cudaDeviceSynchronize; cudaStreamSynchronize stream=s; cudaEventRecord event=e stream=s }
join
ncclGroupEnd
cudaEventSynchronize event=e
cudaStreamSynchronize stream=s
`, []completed{{"cudaDeviceSynchronize", 0, 1}, {"cudaStreamSynchronize", 0, 2}}},
		{"of a group within", `
ncclGroupStart
ncclAllReduce count=1 comm=a0 stream=s; ncclAllReduce count=1 comm=b0 stream=s
ncclGroupEnd
thread other { cudaDeviceSynchronize }
join
ncclGroupEnd
cudaStreamSynchronize stream=s
`, []completed{{"cudaDeviceSynchronize", 0, 1}, {"cudaStreamSynchronize", 0, 2}, {"cudaStreamSynchronize", 1, 1}}},
		{"of a group that fails", `
ncclAllReduce count=1 comm=a0 stream=s; ncclAllReduce count=1 dtype=99 comm=b0 stream=s expect=4
ncclGroupEnd expect=4
cudaDeviceSynchronize
ncclAllReduce count=1 comm=b0 stream=s
cudaStreamSynchronize stream=s
`, []completed{{"cudaDeviceSynchronize", 0, 1}, {"cudaStreamSynchronize", 1, 1}}},
		{"of many communicators", `
ncclAllReduce count=1 comm=a0 stream=s; ncclAllReduce count=1 comm=b0 stream=s; ncclAllReduce count=1 comm=c0 stream=s
ncclAllReduce count=1 comm=d0 stream=z; ncclAllReduce count=1 comm=f0 stream=z; ncclAllReduce count=1 comm=g0 stream=z
ncclAllReduce count=1 comm=a0 stream=s
ncclGroupEnd
cudaStreamSynchronize stream=s; cudaStreamSynchronize stream=z
`, []completed{
			{"cudaStreamSynchronize", 0, 3}, {"cudaStreamSynchronize", 1, 1}, {"cudaStreamSynchronize", 2, 1},
			{"cudaStreamSynchronize", 3, 1}, {"cudaStreamSynchronize", 4, 1}, {"cudaStreamSynchronize", 5, 1},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := startRecorder(t, DefaultSettings())
			r.run(begin + tt.script)
			var got []completed
			for _, c := range r.completions {
				for _, of := range c.Completed {
					if of.Operation == 0 {
						continue
					}
					born := slices.IndexFunc(r.communicators, func(c event.Communicator) bool { return c.Serial == of.Serial })
					got = append(got, completed{probe.Get(c.Probe).Symbol, born, of.Operation})
				}
			}
			assert.Equal(t, tt.want, got)
		})
	}
}

// An operation is its communicator's GPU's, whichever the thread that issues it has
// chosen: one thread issues those of several GPUs in a group.
func TestCommunicatorsOfSeveralGPUs(t *testing.T) {
	const streams = "setting devices 2\ncudaStreamCreateWithFlags flags=1 out=s0; cudaStreamCreateWithFlags flags=1 out=s1\n"
	const all = "cudaSetDevice device=0; cudaSetDevice device=1\nncclCommInitAll ndev=2 out=c\n"
	const operations = "ncclGroupStart\nncclAllReduce count=1 comm=c0 stream=s0; ncclAllReduce count=1 comm=c1 stream=s1\nncclGroupEnd\n"
	const syncs = "cudaDeviceSynchronize; cudaSetDevice device=0; cudaDeviceSynchronize\n"
	for _, tt := range []struct {
		name, script string
		completed    []int // which communicator's operation, by the order of their birth
	}{
		{"all of a process", all + operations + syncs, []int{1, 0}},
		{"from a list", "cudaSetDevice device=0; cudaSetDevice device=1\nncclCommInitAll ndev=2 devlist=1,0 out=c\n" + operations + syncs, []int{0, 1}},
		{"of a list alone", "ncclCommInitAll ndev=2 devlist=1,0 out=c\n" + operations + "cudaDeviceSynchronize\n" + syncs, []int{1}},
		{"by the thread's choice", `
ncclGetUniqueId out=id
ncclGroupStart
cudaSetDevice device=0; ncclCommInitRank nranks=2 id=id rank=0 out=c0
cudaSetDevice device=1; ncclCommInitRank nranks=2 id=id rank=1 out=c1
ncclGroupEnd
` + operations + syncs, []int{1, 0}},
		{"children", all + `
ncclGroupStart
ncclCommSplit comm=c0 color=0 key=0 out=h0; ncclCommSplit comm=c1 color=0 key=0 out=h1
ncclGroupEnd
ncclGroupStart
ncclAllReduce count=1 comm=h0 stream=s0; ncclAllReduce count=1 comm=h1 stream=s1
ncclGroupEnd
` + syncs, []int{3, 2}},
		{"default GPU streams", `
cudaSetDevice device=0; cudaSetDevice device=1
ncclCommInitAll ndev=1 devlist=0 out=a; ncclCommInitAll ndev=1 devlist=1 out=b
ncclGroupStart
ncclAllReduce count=1 comm=a0 stream=0; ncclAllReduce count=1 comm=b0 stream=0
ncclGroupEnd
cudaStreamSynchronize stream=0; cudaSetDevice device=0; cudaStreamSynchronize stream=0
`, []int{1, 0}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := startRecorder(t, DefaultSettings())
			r.run(streams + tt.script)
			var want []event.Completed
			for _, i := range tt.completed {
				require.Less(t, i, len(r.communicators))
				want = append(want, event.Completed{Serial: r.communicators[i].Serial, Operation: 1})
			}
			assert.Equal(t, want, r.completed())
		})
	}
}

// Of a communicator that was there before it was traced the GPU is not known. Where
// threads were seen to use several, no synchronisation with a whole one is known to
// cover its operations.
func TestGPUsOfLateCommunicators(t *testing.T) {
	r := emptyRecorder(t)
	folder := t.TempDir()
	copyStack(t, folder)
	r.runIn(folder, "workload", `
setting devices 2
cudaStreamCreateWithFlags flags=1 out=s0; cudaStreamCreateWithFlags flags=1 out=s1
ncclCommInitAll ndev=2 out=c
`+untilAttached(t)+`
ncclAllReduce count=1 comm=c0 stream=s0; ncclAllReduce count=1 comm=c1 stream=s1
cudaDeviceSynchronize
cudaSetDevice device=0; cudaSetDevice device=1
ncclAllReduce count=1 comm=c0 stream=s0; ncclAllReduce count=1 comm=c1 stream=s1
cudaDeviceSynchronize
cudaStreamSynchronize stream=s0
`)
	require.Len(t, r.communicators, 2)
	first, second := r.communicators[0].Serial, r.communicators[1].Serial
	assert.Equal(t, []event.Completed{
		{Serial: first, Operation: 1}, {Serial: second, Operation: 1}, // as far as seen there is one GPU
		{Serial: first, Operation: 2},
	}, r.completed())
}
