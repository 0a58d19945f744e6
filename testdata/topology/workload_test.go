package topology

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

const (
	nodes        = 4
	ranksPerNode = 4
	ranks        = nodes * ranksPerNode
	communicator = "c0ffee0000000001"
	epoch        = int64(1_767_225_600_000_000_000)
	microsecond  = int64(1000)
	millisecond  = 1000 * microsecond
)

// plot is what happens in a collective.
type plot int

const (
	onTime plot = iota
	late
	disagreeing
	missing
	plots // how many there are
)

// act is one collective.
type act struct {
	sequence int64
	plot     plot
	rank     int // whom it happens to
	lag      int64
}

// workload is what the ranks of a job do: some collectives in which all is well,
// from which the offsets of the nodes' clocks follow, and then some of all kinds.
type workload struct {
	warmUp, rest []act
}

func newWorkload(warmUp, rest int) *workload {
	random := rand.New(rand.NewPCG(1, 1))
	w := &workload{}
	for i := range warmUp {
		w.warmUp = append(w.warmUp, act{sequence: int64(i) + 1})
	}
	for i := range rest {
		w.rest = append(w.rest, act{
			sequence: int64(warmUp+i) + 1,
			plot:     plot(random.IntN(int(plots))),
			rank:     random.IntN(ranks),
			lag:      (20 + random.Int64N(30)) * millisecond,
		})
	}
	// A rank is missing from the last ones: after them it would have gone on.
	for i := range w.rest {
		a := &w.rest[i]
		if last := i >= len(w.rest)-10; last != (a.plot == missing) {
			a.plot = map[bool]plot{true: missing, false: late}[last]
		}
		if a.plot == missing {
			a.rank = ranks - 1
		}
	}
	return w
}

// count returns how many of acts have the plot.
func count(acts []act, p plot) int {
	n := 0
	for _, a := range acts {
		if a.plot == p {
			n++
		}
	}
	return n
}

func traceID(sequence int64) (pcommon.TraceID, pcommon.SpanID) {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", communicator, sequence))
	return pcommon.TraceID(sum[:16]), pcommon.SpanID(sum[16:24])
}

// clockError is what the clock of a node reads too much.
func clockError(node int) int64 { return int64(node) * 700 * millisecond }

// report adds what the ranks of a node report of a collective.
func (a *act) report(traces ptrace.Traces, node int) {
	for rank := node * ranksPerNode; rank < (node+1)*ranksPerNode; rank++ {
		if a.plot == missing && rank == a.rank {
			continue
		}
		resource := traces.ResourceSpans().AppendEmpty()
		attributes := resource.Resource().Attributes()
		attributes.PutStr("host.name", fmt.Sprint("node-", node))
		attributes.PutStr("host.id", fmt.Sprint("id-", node))
		attributes.PutInt("process.pid", int64(4000+rank))
		a.span(resource.ScopeSpans().AppendEmpty().Spans().AppendEmpty(), rank)
	}
}

// span writes the span of a rank: docs/telemetry.md, spans of collectives.
func (a *act) span(span ptrace.Span, rank int) {
	trace, root := traceID(a.sequence)
	begin := epoch + a.sequence*millisecond + clockError(rank/ranksPerNode)
	enqueue, over := begin+int64(rank)*microsecond, begin+100*microsecond
	if a.plot == late {
		over += a.lag
	}
	span.SetName("ncclAllReduce")
	span.SetTraceID(trace)
	span.SetParentSpanID(root)
	span.SetSpanID(pcommon.SpanID{byte(rank + 1), byte(a.sequence >> 8), byte(a.sequence)})
	io := 0.001
	if a.plot == late && rank == a.rank {
		enqueue += a.lag
		io += float64(a.lag) / 1e9
	}
	elements := int64(1024)
	if a.plot == disagreeing && rank == a.rank {
		elements = 1023
	}
	span.SetStartTimestamp(pcommon.Timestamp(enqueue))
	attributes := span.Attributes()
	_ = attributes.FromRaw(map[string]any{
		"nccl.operation": "AllReduce", "nccl.communicator": communicator, "nccl.communicator.size": ranks, "nccl.rank": rank,
		"nccl.sequence": a.sequence, "nccl.sampled": true, "nccl.count": elements, "nccl.datatype": "float32", "nccl.reduction": "sum",
		"nccl.enqueue.time": enqueue, "nccl.enqueue.not_before": enqueue, "nccl.enqueue.quality": "bounded", "nccl.completed": a.plot != missing,
		"nccl.arrival.time.io": io, "nccl.arrival.time.running": 0.002,
	})
	if a.plot != missing {
		attributes.PutInt("nccl.completion.time", over)
		attributes.PutInt("nccl.wait.start_time", enqueue+10*microsecond)
		attributes.PutDouble("nccl.wait", float64(over-enqueue-10*microsecond)/1e9)
	}
}
