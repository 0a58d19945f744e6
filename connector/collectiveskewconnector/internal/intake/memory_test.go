package intake

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/collective"
)

// numbered returns texts of n bytes that differ.
func numbered(i, n int) string {
	return string(binary.BigEndian.AppendUint32(nil, uint32(i))) + strings.Repeat("x", n-4)
}

// shapes are resources that are as large as they may be, and larger.
var shapes = map[string]func(i int) map[string]any{
	"long values": func(i int) map[string]any {
		attributes := map[string]any{}
		for k := range 20 {
			attributes[fmt.Sprint("key-", k)] = numbered(i, 1000)
		}
		return attributes
	},
	"values of an odd size": func(i int) map[string]any {
		attributes := map[string]any{}
		for k := range 20 {
			attributes[fmt.Sprint("key-", k)] = numbered(i, 900)
		}
		return attributes
	},
	"long keys": func(i int) map[string]any {
		attributes := map[string]any{}
		for k := range 20 {
			attributes[numbered(i+k<<20, 1000)] = k
		}
		return attributes
	},
	"many keys": func(i int) map[string]any {
		attributes := map[string]any{"host.id": fmt.Sprint(i)}
		for k := range 200 {
			attributes[fmt.Sprint(k)] = true
		}
		return attributes
	},
	"lists": func(i int) map[string]any {
		attributes := map[string]any{"host.id": fmt.Sprint(i)}
		for k := range 20 {
			attributes[fmt.Sprint(k)] = []any{1, 2, []any{[]any{}, map[string]any{"k": "v", "b": []byte{1}}}, "text", 4, 5, 6, 7, 8}
		}
		return attributes
	},
	"usual": func(i int) map[string]any {
		return map[string]any{
			"host.name": fmt.Sprint("node-", i/8), "host.id": numbered(i/8, 32), "process.pid": i, "process.executable.name": "python3",
			"service.name": "trainer", "container.id": numbered(i, 64), "k8s.pod.uid": numbered(i, 36), "k8s.pod.name": fmt.Sprint("trainer-", i),
			"k8s.namespace.name": "training", "k8s.node.name": fmt.Sprint("node-", i/8), "process.command_line": strings.Repeat("a", 200),
		}
	},
	"long names": func(i int) map[string]any {
		return map[string]any{"host.name": numbered(i, 253), "host.id": numbered(i, 253), "process.pid": i}
	},
}

// TestProcessesWeighWhatTheyTake compares the weight of processes with the heap, which
// rounds up what slices and maps grow to.
func TestProcessesWeighWhatTheyTake(t *testing.T) {
	const processes = 1000
	for name, shape := range shapes {
		t.Run(name, func(t *testing.T) {
			r, weight, held := NewReader(), 0, make([]*collective.Process, processes)
			before := heap()
			for i := range held {
				held[i] = r.Process(resource(shape(i)))
				weight += processBytes(held[i])
			}
			require.Equal(t, processes, r.processes.Len())
			took := heap() - before
			t.Logf("%d bytes each weigh %d", took/processes, weight/processes)
			assert.Less(t, took, int64(weight)*5/4)
			assert.LessOrEqual(t, weight/processes, maxResource+256)
			runtime.KeepAlive(r)
			runtime.KeepAlive(held)
		})
	}
}

// TestMemoryOfProcessesIsBounded lets spans hold all the processes that there were.
func TestMemoryOfProcessesIsBounded(t *testing.T) {
	const processes = 4 * maxProcesses / maxResource
	before, r := heap(), NewReader()
	held := make([]*collective.Process, processes)
	attributes := resource(shapes["long values"](0))
	for i := range held {
		attributes.Attributes().PutStr("host.name", numbered(i, 253))
		attributes.Attributes().PutStr("host.id", numbered(i, 253))
		held[i] = r.Process(attributes)
	}
	took := heap() - before
	t.Logf("%.1f MB, of %d processes", float64(took)/1e6, processes)
	assert.Less(t, took, int64(2*maxProcesses+1024*processes))
	assert.Positive(t, r.Forgotten())
	runtime.KeepAlive(r)

	first, last := held[0], held[processes-1]
	assert.Zero(t, first.Resource.Len())
	assert.Equal(t, numbered(0, 253), first.HostName, "stays what it is")
	assert.Equal(t, numbered(0, 253), first.HostID)
	assert.Positive(t, last.Resource.Len())
}

func heap() int64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC() // what pools keep goes with the second one
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}
