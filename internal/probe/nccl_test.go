package probe

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// argument names what an argument of a function of NCCL is.
type argument uint8

const (
	other argument = iota
	count
	datatype
	reduction
	root
	peer
	comm
	gpuStream
	newComm
	size
	rank
	identity
	identityCount
	colour
	devices
	cutFlags
)

// ncclPrototypes are those of nccl.h 2.30, argument by argument, but for the
// unique id that is passed by value.
var ncclPrototypes = map[string][]argument{
	"ncclAllReduce":            {other, other, count, datatype, reduction, comm, gpuStream},
	"ncclReduceScatter":        {other, other, count, datatype, reduction, comm, gpuStream},
	"ncclReduce":               {other, other, count, datatype, reduction, root, comm, gpuStream},
	"ncclBroadcast":            {other, other, count, datatype, root, comm, gpuStream},
	"ncclGather":               {other, other, count, datatype, root, comm, gpuStream},
	"ncclScatter":              {other, other, count, datatype, root, comm, gpuStream},
	"ncclBcast":                {other, count, datatype, root, comm, gpuStream},
	"ncclAllGather":            {other, other, count, datatype, comm, gpuStream},
	"ncclAlltoAll":             {other, other, count, datatype, comm, gpuStream},
	"ncclSend":                 {other, count, datatype, peer, comm, gpuStream},
	"ncclRecv":                 {other, count, datatype, peer, comm, gpuStream},
	"ncclGroupStart":           {},
	"ncclGroupEnd":             {},
	"ncclCommInitRankScalable": {newComm, size, rank, other, identity, other},
	"ncclCommInitAll":          {newComm, identityCount, devices}, // its count is the size, too
	"ncclCommSplit":            {comm, colour, other, newComm, other},
	"ncclCommShrink":           {comm, identity, identityCount, newComm, other, cutFlags},
	"ncclCommGrow":             {comm, size, identity, rank, newComm, other},
	"ncclCommDestroy":          {comm},
	"ncclCommAbort":            {comm},
	"ncclCommFinalize":         {other},
	"ncclCommRevoke":           {comm, other},
	"ncclCommCount":            {comm, newComm},
	"ncclCommUserRank":         {comm, newComm},
}

func (a argument) slotIn(p *Probe) uint8 {
	return map[argument]uint8{
		count: p.Operation.Count, datatype: p.Operation.Datatype, reduction: p.Operation.Reduction,
		root: p.Operation.Root, peer: p.Operation.Peer, comm: p.Communicator.Handle, gpuStream: p.StreamSlot,
		newComm: p.Communicator.Stored, size: p.Communicator.Size, rank: p.Communicator.Rank,
		identity: p.Communicator.Identity, identityCount: p.Communicator.IdentityCount, colour: p.Communicator.Colour,
		devices: p.DevicesSlot, cutFlags: p.CutSlot,
	}[a]
}

func TestNCCLPrototypes(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64"} {
		byValue := 0
		for _, r := range ncclRows(arch) {
			prototype, ok := ncclPrototypes[r.probe.Symbol]
			if !ok {
				byValue++
				continue
			}
			for slot, what := range prototype {
				if what != other {
					assert.Equal(t, uint8(slot), what.slotIn(&r.probe), "%s argument %d on %s", r.probe.Symbol, slot, arch)
				}
			}
			for what := count; what <= cutFlags; what++ {
				if slot := what.slotIn(&r.probe); slot != NoSlot && r.probe.Role != RoleTells && r.probe.Role != RoleBeginsAll {
					require.Less(t, int(slot), len(prototype), r.probe.Symbol)
					assert.Equal(t, what, prototype[slot], "%s argument %d on %s", r.probe.Symbol, slot, arch)
				}
			}
		}
		assert.Equal(t, 2, byValue)
	}
}

// ncclCommInitRank(ncclComm_t *comm, int nranks, ncclUniqueId id, int rank): on
// amd64 the id is in memory above the return address and takes no register; on
// arm64 the third register points to it.
func TestUniqueIDByValue(t *testing.T) {
	for arch, want := range map[string]Communicator{
		"amd64": {Handle: NoSlot, Stored: 0, Size: 1, Rank: 2, Identity: NoSlot, IdentityCount: NoSlot, Colour: NoSlot},
		"arm64": {Handle: NoSlot, Stored: 0, Size: 1, Rank: 3, Identity: 2, IdentityCount: NoSlot, Colour: NoSlot},
	} {
		found := 0
		for _, r := range ncclRows(arch) {
			if r.probe.Symbol == "ncclCommInitRank" || r.probe.Symbol == "ncclCommInitRankConfig" {
				found++
				assert.Equal(t, want, r.probe.Communicator, "%s on %s", r.probe.Symbol, arch)
				assert.LessOrEqual(t, r.probe.Slots, uint8(6), "nothing is read of the stack but the id")
			}
		}
		assert.Equal(t, 2, found)
	}
}

func TestNCCLNames(t *testing.T) {
	assert.Equal(t, "bfloat16", DatatypeName(9))
	assert.Equal(t, uint64(2), DatatypeSize(9))
	assert.Equal(t, "77", DatatypeName(77))
	assert.Zero(t, DatatypeSize(77))
	assert.Equal(t, "avg", ReductionName(4))
	assert.Equal(t, "9", ReductionName(9))
	assert.Equal(t, "ncclInvalidArgument", ResultName(LayerNCCL, 4))
	assert.Equal(t, "ncclResult(42)", ResultName(LayerNCCL, 42))
	assert.Equal(t, "nccl", LayerNCCL.String())
}

// Every synchronisation, query, record and wait says what it orders.
func TestEdges(t *testing.T) {
	edges := map[Edge]int{}
	for _, p := range All() {
		edges[p.Edge]++
		if p.Class == ClassSync {
			assert.True(t, p.Edge.Synchronises(), p.Symbol)
		}
		switch p.Edge {
		case EdgeRecordsEvent, EdgeAwaitsEvent:
			assert.NotEqual(t, p.EventSlot, p.StreamSlot, p.Symbol)
			assert.NotEqual(t, uint8(NoSlot), p.EventSlot, p.Symbol)
			assert.NotEqual(t, uint8(NoSlot), p.StreamSlot, p.Symbol)
		case EdgeSyncsEvent, EdgeQueriesEvent:
			assert.NotEqual(t, uint8(NoSlot), p.EventSlot, p.Symbol)
		}
	}
	for edge := EdgeRecordsEvent; edge <= EdgeSetsDevice; edge++ {
		assert.Positive(t, edges[edge], edge)
	}
}

// Copies within the GPU do not wait for it.
func TestCopiesThatWaitForTheGPU(t *testing.T) {
	for symbol, want := range map[string]Edge{
		"cudaMemcpy":           EdgeSyncsStream, // its kind says which
		"cuMemcpyHtoD_v2":      EdgeSyncsStream,
		"cuMemcpyDtoH_v2":      EdgeSyncsStream,
		"cuMemcpyDtoD_v2":      EdgeNone,
		"cudaMemcpyPeer":       EdgeNone,
		"cuMemcpy":             EdgeNone, // which way is not known
		"cuMemcpyHtoDAsync_v2": EdgeNone,
		"cudaMemset":           EdgeNone,
	} {
		p, ok := Find(symbol)
		assert.True(t, ok, symbol)
		assert.Equal(t, want, p.Edge, symbol)
	}
}
