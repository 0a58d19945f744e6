package collectiveskewconnector

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/connector/connectortest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/metadata"
)

const ranksPerHost = 8

// traffic is the spans of one collective, one delivery per host, hosts in any
// order, that is sent again and again under other sequence numbers.
type traffic struct {
	hosts    []ptrace.Traces
	spans    []ptrace.Span
	sequence int64
}

// newTraffic makes a collective to which the last rank comes lag late.
func newTraffic(ranks int, lag time.Duration) *traffic {
	l := &traffic{}
	for first := 0; first < ranks; first += ranksPerHost {
		traces := ptrace.NewTraces()
		for rank := first; rank < min(first+ranksPerHost, ranks); rank++ {
			enqueue := time.Duration(rank) * time.Microsecond
			if rank == ranks-1 {
				enqueue = lag
			}
			l.spans = append(l.spans, addRank(traces, rank, ranks, enqueue))
		}
		l.hosts = append(l.hosts, traces)
	}
	random := rand.New(rand.NewPCG(1, 1))
	random.Shuffle(len(l.hosts), func(i, k int) { l.hosts[i], l.hosts[k] = l.hosts[k], l.hosts[i] })
	return l
}

// addRank adds a span as the receiver emits it, with a typical number of attributes.
func addRank(traces ptrace.Traces, rank, ranks int, enqueue time.Duration) ptrace.Span {
	host := fmt.Sprint("node-", rank/ranksPerHost)
	resource := traces.ResourceSpans().AppendEmpty()
	_ = resource.Resource().Attributes().FromRaw(map[string]any{
		"host.name": host, "host.id": "4c4c4544004b4210" + host, "process.pid": 4711 + rank, "process.executable.name": "python3",
		"service.name": "trainer", "container.id": "0123456789abcdef0123456789abcdef", "k8s.pod.uid": "f5f1d2a8-0000-4f1e-8a6b-000000000000",
	})
	span := resource.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	span.SetName("ncclAllReduce")
	span.SetParentSpanID(pcommon.SpanID{1})
	span.SetSpanID(pcommon.SpanID{2, byte(rank >> 8), byte(rank)})
	at := int64(fuzzEpoch)
	span.SetStartTimestamp(pcommon.Timestamp(at + int64(enqueue)))
	_ = span.Attributes().FromRaw(map[string]any{
		"thread.id": 4711 + rank, "thread.name": "pt_autograd_0",
		"nccl.operation": "AllReduce", "nccl.communicator": "c0ffee0000000001", "nccl.communicator.size": ranks, "nccl.rank": rank,
		"nccl.sequence": 0, "nccl.reduction": "sum", "nccl.datatype": "bfloat16", "nccl.count": 1 << 20, "nccl.size": 2 << 20,
		"nccl.group": false, "nccl.sampled": true, "nccl.enqueue.time": at + int64(enqueue), "nccl.enqueue.quality": "bounded",
		"nccl.completed": true, "nccl.completion.time": at + 50_000_000, "nccl.wait": 0.049, "nccl.wait.start_time": at + 1_000_000,
		"nccl.queue.launches": 300, "nccl.arrival.time.running": 0.004, "nccl.arrival.time.launch": 0.003,
		"nccl.arrival.time.io": enqueue.Seconds(), "nccl.arrival.time.collective_wait": 0.03,
	})
	link := span.Links().AppendEmpty()
	link.SetTraceID(pcommon.TraceID{7, byte(rank >> 8), byte(rank)})
	link.SetSpanID(pcommon.SpanID{8})
	link.Attributes().PutStr("stall.link", "dispatch_cycle")
	return span
}

// next makes the traffic that of the next collective.
func (l *traffic) next() {
	l.sequence++
	trace := pcommon.TraceID{9}
	binary.BigEndian.PutUint64(trace[8:], uint64(l.sequence))
	for _, span := range l.spans {
		span.SetTraceID(trace)
		span.Attributes().PutInt("nccl.sequence", l.sequence)
	}
}

func (l *traffic) send(b *testing.B, to connector.Traces) {
	for _, traces := range l.hosts {
		if err := to.ConsumeTraces(b.Context(), traces); err != nil {
			b.Fatal(err)
		}
	}
}

func startConnector(b *testing.B) connector.Traces {
	c, err := NewFactory().CreateTracesToTraces(b.Context(), connectortest.NewNopSettings(metadata.Type), testConfig(), consumertest.NewNop())
	require.NoError(b, err)
	require.NoError(b, c.Start(b.Context(), componenttest.NewNopHost()))
	b.Cleanup(func() { _ = c.Shutdown(b.Context()) })
	return c
}

// BenchmarkCollective is the way of the spans of one collective, from their delivery
// to the verdict.
func BenchmarkCollective(b *testing.B) {
	for _, ranks := range []int{8, 64, 1024} {
		for name, lag := range map[string]time.Duration{"on time": 0, "late": 40 * time.Millisecond} {
			b.Run(fmt.Sprintf("%d ranks %s", ranks, name), func(b *testing.B) {
				c, l := startConnector(b), newTraffic(ranks, lag)
				b.ReportAllocs()
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				for b.Loop() {
					l.next()
					l.send(b, c)
				}
				runtime.ReadMemStats(&after)
				spans := float64(b.N * ranks)
				b.ReportMetric(float64(b.Elapsed())/spans, "ns/span")
				b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/spans, "B/span")
			})
		}
	}
}

// BenchmarkHeld is the memory of collectives of which one rank is missing.
func BenchmarkHeld(b *testing.B) {
	const spans = 1 << 17
	for _, ranks := range []int{8, 64, 1024} {
		b.Run(fmt.Sprintf("%d ranks", ranks), func(b *testing.B) {
			for b.Loop() {
				c, l := startConnector(b), newTraffic(ranks, 0)
				l.spans[len(l.spans)-1].Attributes().PutInt("nccl.rank", -1) // not paired
				before := heap()
				for range spans / ranks {
					l.next()
					l.send(b, c)
				}
				held := float64(heap()-before) / float64(spans/ranks)
				b.ReportMetric(held, "B/collective")
				b.ReportMetric(held/float64(ranks-1), "B/span")
				require.NoError(b, c.Shutdown(b.Context()))
			}
		})
	}
}

func heap() uint64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
