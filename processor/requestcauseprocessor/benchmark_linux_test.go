package requestcauseprocessor

import (
	"context"
	"net"
	"net/netip"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/process"
)

// farm is a machine with servers of eight workers each.
type farm struct{ servers int64 }

const workers = 8

func (f farm) Relatives([]int64) (process.Relatives, bool) {
	found := make(process.Relatives)
	for server := range f.servers {
		api := 1000 * (server + 1)
		found[api] = &process.Relative{PID: api, ParentPID: 1, OwnPID: api, Executable: "python"}
		for n := range int64(workers) {
			found[api+n+1] = &process.Relative{PID: api + n + 1, ParentPID: api, OwnPID: api + n + 1, Executable: "python", Title: "VLLM::Worker_TP0"}
		}
	}
	return found, true
}

func (f farm) Owner(local netip.AddrPort, _ process.Relatives) (int64, bool) {
	return 1000 * (int64(local.Port()) - 40000), false
}

// second is a second of load: 20,000 stalls and 5,000 requests of two seconds
// each, evenly over the servers.
type second struct {
	stalls   []ptrace.Traces
	requests []ptrace.Traces
	peers    []context.Context
	spans    int
}

const (
	stallsPerSecond   = 20_000
	requestsPerSecond = 5_000
	perPayload        = 50 // requests in a batch
)

// load makes second number n of a load.
func loadOf(servers int, n int, begin time.Time) second {
	var s second
	at := begin.Add(time.Duration(n) * time.Second)
	for i := range stallsPerSecond {
		server, worker := int64(i%servers), int64(i/servers%workers)
		start := at.Add(time.Duration(i) * time.Second / stallsPerSecond)
		pid := 1000*(server+1) + worker + 1
		s.stalls = append(s.stalls, stallTraces(cycle{
			pid: pid, tid: pid, start: start, end: start.Add(4 * time.Millisecond), typical: time.Millisecond,
			cause: []string{"lock", "gpu_busy", "io", "cpu_contention"}[i%4],
		}))
	}
	for i := range requestsPerSecond / perPayload {
		var calls []call
		for j := range perPayload {
			calls = append(calls, call{
				n: n*requestsPerSecond + i*perPayload + j, start: at.Add(-time.Second), queue: 10 * time.Millisecond,
				prefill: 90 * time.Millisecond, decode: 1900 * time.Millisecond, prompt: 512, completion: 128,
			})
		}
		traces := vllmTraces(calls...)
		traces.ResourceSpans().At(0).Resource().Attributes().Remove("vllm.process_id")
		s.requests = append(s.requests, traces)
		s.peers = append(s.peers, client.NewContext(context.Background(), client.Info{
			Addr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 40001 + i%servers},
		}))
	}
	s.spans = stallsPerSecond + requestsPerSecond
	return s
}

// BenchmarkProcessor passes seconds of load through a processor, as fast as it
// can. An operation is one second; the metrics are per span that came in, children
// not counted. Payloads are not held, but where the wait is said: there ns/span
// has the wait in it, and hold-MiB, early/op and unheld/op say how the hold did.
func BenchmarkProcessor(b *testing.B) {
	b.Run("servers=16", func(b *testing.B) { benchmarkProcessor(b, 16, nil) })
	b.Run("servers=2", func(b *testing.B) { benchmarkProcessor(b, 2, nil) })
	b.Run("servers=16,children=unbounded", func(b *testing.B) {
		benchmarkProcessor(b, 16, func(c *Config) { c.Spans.MaxPerSecond = maxLimit })
	})
	b.Run("servers=16,wait=default", func(b *testing.B) {
		benchmarkProcessor(b, 16, func(c *Config) { c.Wait = createDefaultConfig().(*Config).Wait })
	})
}

func benchmarkProcessor(b *testing.B, servers int, change func(*Config)) {
	out := &arrivals{Consumer: consumertest.NewNop(), all: make(chan struct{}, 1)}
	f := fixtureOn(b, machine{hostID: hostID, procs: farm{servers: int64(servers)}}, func(c *Config) {
		c.Wait = 0
		c.Stalls.MinOverlap = time.Millisecond
		if change != nil {
			change(c)
		}
	}, out)
	require.NoError(b, f.Start(context.Background(), componenttest.NewNopHost()))
	begin := time.Now().Add(-30 * time.Second)
	spans, took, cpu, held := 0, time.Duration(0), time.Duration(0), int64(0)
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		b.StopTimer()
		s := loadOf(servers, n%20, begin)
		b.StartTimer()
		started, used := time.Now(), cpuTime(b)
		held = max(held, f.pass(b, s, out))
		took += time.Since(started)
		cpu += cpuTime(b) - used
		spans += s.spans
	}
	b.StopTimer()
	b.ReportMetric(float64(took.Nanoseconds())/float64(spans), "ns/span")
	b.ReportMetric(float64(cpu.Nanoseconds())/float64(spans), "cpu-ns/span")
	b.ReportMetric(float64(f.count(b, "requestcause_store_bytes"))/(1<<20), "store-MiB")
	b.ReportMetric(float64(held)/(1<<20), "hold-MiB")
	b.ReportMetric(float64(f.count(b, "requestcause_payloads_early"))/float64(b.N), "early/op")
	b.ReportMetric(float64(f.count(b, "requestcause_payloads_unheld"))/float64(b.N), "unheld/op")
	var memory runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&memory)
	b.ReportMetric(float64(memory.HeapAlloc)/(1<<20), "heap-MiB")
	b.ReportMetric(float64(f.count(b, "requestcause_children_appended"))/float64(b.N), "children/op")
	f.stop(b)
}

// arrivals counts payloads that have come through, and says when a number of
// them has.
type arrivals struct {
	consumertest.Consumer
	left atomic.Int64
	all  chan struct{}
}

func (a *arrivals) ConsumeTraces(context.Context, ptrace.Traces) error {
	if a.left.Add(-1) == 0 {
		a.all <- struct{}{}
	}
	return nil
}

// cpuTime is what this program has used of the CPUs, collecting garbage included.
// On a machine that others use, too, it says more than the time that passed.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// pass sends a second of load and waits until all of it has left. It returns how
// many bytes were held when all of it had come.
func (f *fixture) pass(b *testing.B, s second, out *arrivals) (held int64) {
	out.left.Store(int64(len(s.stalls) + len(s.requests)))
	for i, traces := range s.stalls {
		if err := f.ConsumeTraces(context.Background(), traces); err != nil {
			b.Fatal(err)
		}
		if every := len(s.stalls) / len(s.requests); i%every == every-1 {
			n := i / every
			if err := f.ConsumeTraces(s.peers[n], s.requests[n]); err != nil {
				b.Fatal(err)
			}
		}
	}
	held = f.count(b, "requestcause_hold_bytes")
	<-out.all
	return held
}
