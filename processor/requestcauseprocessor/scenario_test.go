package requestcauseprocessor

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/process"
)

// fleet is a machine with three servers that are traced: two on the host, and one
// in a container, where it takes its number to be 1. A fourth one uses no GPU.
type fleet struct{}

const fleetContainer = "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

func (fleet) Relatives([]int64) (process.Relatives, bool) {
	found := make(process.Relatives)
	for _, api := range []int64{100, 200, 300} {
		found[api] = &process.Relative{PID: api, ParentPID: 50, OwnPID: api, Start: uint64(api), Executable: "python"}
		found[api+1] = &process.Relative{PID: api + 1, ParentPID: api, OwnPID: api + 1, Start: uint64(api), Executable: "python"}
	}
	for pid, own := range map[int64]int64{300: 1, 301: 30} {
		found[pid].OwnPID, found[pid].Nested, found[pid].ContainerID, found[pid].ControlPath = own, true, fleetContainer, "/docker"
	}
	found[50] = &process.Relative{PID: 50, ParentPID: 1, OwnPID: 50, Executable: "bash"}
	return found, true
}

func (fleet) Owner(local netip.AddrPort, _ process.Relatives) (int64, bool) {
	if local.Port() == 40100 {
		return 100, false
	}
	return 0, local.Addr().IsLoopback()
}

// fleetServer is one of the servers, and how its spans come.
type fleetServer struct {
	engine   int64
	resource map[string]any
	peer     net.Addr
}

var fleetServers = []fleetServer{
	{101, map[string]any{"service.name": "a"}, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 40100}},                       // before 0.16, gRPC
	{201, map[string]any{"service.name": "b", "vllm.process_id": "200"}, &net.IPAddr{IP: net.IPv4(127, 0, 0, 1)}},           // HTTP
	{301, map[string]any{"vllm.process_id": "1", "container.id": fleetContainer}, &net.IPAddr{IP: net.IPv4(172, 17, 0, 2)}}, // through a bridge
	{0, map[string]any{"service.name": "d", "vllm.process_id": "400"}, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 40400}},
}

// arrival is a payload on its way to the Collector.
type arrival struct {
	at     time.Time
	peer   net.Addr
	traces ptrace.Traces
}

// story is what a server served, and what of it the processor must tell.
type story struct {
	call
	served *served
	traced bool
}

// TestMixedRequests sends 500 requests to four servers whose engines stall now
// and then, and compares what the processor appended with what happened.
func TestMixedRequests(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { mixedRequests(t, seed) })
	}
}

func mixedRequests(t *testing.T, seed uint64) {
	synctest.Test(t, func(t *testing.T) {
		sink := new(consumertest.TracesSink)
		f := fixtureOn(t, machine{hostID: hostID, hostName: "node-1", procs: fleet{}}, nil, sink)
		f.start(t)
		random := rand.New(rand.NewPCG(2026, seed))
		var stories []*story
		var arrivals []arrival
		for n, server := range fleetServers {
			told, sent := serve(t, random, n, server)
			stories, arrivals = append(stories, told...), append(arrivals, sent...)
		}
		require.Len(t, stories, 500)
		slices.SortStableFunc(arrivals, func(a, b arrival) int { return a.at.Compare(b.at) })
		for _, a := range arrivals {
			time.Sleep(time.Until(a.at))
			ctx := client.NewContext(context.Background(), client.Info{Addr: a.peer})
			require.NoError(t, f.ConsumeTraces(ctx, a.traces))
		}
		f.stop(t)
		compareStories(t, stories, appended(sink.AllTraces()...))
	})
}

// serve lets a server serve 125 requests and returns what it sends, and what the
// receiver sends of its engine.
func serve(t *testing.T, random *rand.Rand, n int, server fleetServer) ([]*story, []arrival) {
	t.Helper()
	begin := time.Now().Add(time.Second)
	var waiting []*served
	at := begin
	for range 125 {
		at = at.Add(time.Duration(random.ExpFloat64() * float64(200*time.Millisecond)))
		tokens := int64(5 + random.IntN(300))
		waiting = append(waiting, &served{
			arrived: at, prompt: int64(10 + random.IntN(200)), tokens: tokens, total: tokens,
			lagFirst: lag(random), lagLast: lag(random),
		})
	}
	waiting[40].prompt = 3000 // a prefill that all others wait for
	e := &engine{random: random, now: begin, faults: faults(random, begin, at)}
	e.run(waiting)
	e.judge(2 * time.Millisecond)
	return stories(n, server, e.done), append(sentOf(t, server, n, e.done), stallsOf(random, server, e.steps)...)
}

// lag is how long the API server takes to see a token: mostly little.
func lag(random *rand.Rand) time.Duration {
	d := 200*time.Microsecond + time.Duration(random.ExpFloat64()*float64(400*time.Microsecond))
	if random.IntN(20) == 0 {
		d += 10 * time.Millisecond
	}
	return d
}

func faults(random *rand.Rand, from, to time.Time) []fault {
	causes := []string{"lock", "io", "cpu_contention", "host_code", "module_load", "input_wait"}
	var all []fault
	for n := 0; ; n++ {
		from = from.Add(900*time.Millisecond + time.Duration(random.IntN(1000))*time.Millisecond)
		if from.After(to) {
			return all
		}
		takes := 20*time.Millisecond + time.Duration(random.IntN(60))*time.Millisecond
		all = append(all, fault{at: from, takes: takes, cause: causes[n%len(causes)]})
	}
}

func stories(server int, of fleetServer, done []*served) []*story {
	var all []*story
	for i, s := range done {
		all = append(all, &story{traced: of.engine != 0, served: s, call: call{
			n: server*1000 + i, start: s.arrived, queue: s.scheduled.Sub(s.arrived), prefill: s.first.Sub(s.scheduled) + s.lagFirst,
			decode: s.last.Sub(s.first), prompt: s.prompt, completion: s.total, id: fmt.Sprint("cmpl-", server, "-", i),
		}})
	}
	return all
}

// sentOf are the request spans of a server, in batches of five seconds. The time
// to the first token and in all are the API server's, prefill and decode the
// engine's.
func sentOf(t *testing.T, server fleetServer, n int, done []*served) []arrival {
	t.Helper()
	var sent []arrival
	batches := make(map[int64]ptrace.Traces)
	for i, story := range stories(n, server, done) {
		ended := story.served.last.Add(story.served.lagLast)
		batch := ended.UnixNano() / 5e9
		traces, ok := batches[batch]
		if !ok {
			traces = ptrace.NewTraces()
			resource := traces.ResourceSpans().AppendEmpty()
			require.NoError(t, resource.Resource().Attributes().FromRaw(server.resource))
			resource.ScopeSpans().AppendEmpty().Scope().SetName("vllm.tracing.otel")
			batches[batch] = traces
			sent = append(sent, arrival{at: time.Unix(0, (batch+1)*5e9).Add(time.Duration(i) * time.Microsecond), peer: server.peer, traces: traces})
		}
		span := traces.ResourceSpans().At(0).ScopeSpans().At(0).Spans().AppendEmpty()
		story.lag = story.served.lagLast
		story.write(span)
		span.Attributes().PutDouble("gen_ai.latency.e2e", ended.Sub(story.start).Seconds())
		span.Attributes().PutDouble("gen_ai.latency.time_in_model_prefill", story.served.first.Sub(story.served.scheduled).Seconds())
	}
	return sent
}

// stallsOf are what the receiver writes of an engine: 100 ms after the cycle's
// end, on a clock that is some microseconds off.
func stallsOf(random *rand.Rand, server fleetServer, steps []cycle) []arrival {
	if server.engine == 0 {
		return nil
	}
	var sent []arrival
	for _, step := range steps {
		off := time.Duration(random.IntN(100)-50) * time.Microsecond
		written := step
		written.pid, written.tid = server.engine, server.engine
		written.start, written.end = step.start.Add(off), step.end.Add(off)
		traces := stallTraces(written)
		attributes := traces.ResourceSpans().At(0).Resource().Attributes()
		attributes.PutInt("process.parent_pid", server.engine-1)
		if server.engine == 301 {
			attributes.PutInt("process.vpid", 30)
			attributes.PutStr("container.id", fleetContainer)
		}
		sent = append(sent, arrival{at: step.end.Add(100 * time.Millisecond), traces: traces})
	}
	return sent
}

// compareStories counts how often what was told is what happened.
func compareStories(t *testing.T, stories []*story, added []ptrace.Span) {
	t.Helper()
	byRequest := make(map[[8]byte][]ptrace.Span)
	for _, span := range added {
		byRequest[span.ParentSpanID()] = append(byRequest[span.ParentSpanID()], span)
	}
	var affected, right, unaffected, wrong, borderline, shown, untrue int
	for _, s := range stories {
		stalls, summary := childrenOf(byRequest[s.spanID()], &s.call)
		met := s.served.met
		shown += len(stalls)
		untrue += notMet(stalls, s.served)
		switch {
		case !s.traced || len(met) == 0 && !s.served.grazed:
			unaffected++
			if len(stalls) > 0 || summary != nil {
				wrong++
			}
		case len(met) == 0:
			borderline++
		default:
			affected++
			if tells(stalls, met) && summary != nil {
				right++
			}
		}
	}
	t.Logf("%d of %d affected requests have the right stalls, %d of %d others have any; %d met one for less than 2 ms; "+
		"%d of %d stalls that are shown were none of theirs", right, affected, wrong, unaffected, borderline, untrue, shown)
	assert.Greater(t, affected, 100)
	assert.Greater(t, unaffected, 100)
	assert.GreaterOrEqual(t, float64(right), 0.98*float64(affected))
	assert.LessOrEqual(t, float64(wrong), 0.01*float64(unaffected))
	assert.LessOrEqual(t, float64(untrue), 0.01*float64(shown))
	assert.LessOrEqual(t, borderline, 25)
}

// notMet counts the stalls that are shown and were not going on between the
// request's arrival and its last token.
func notMet(shown []ptrace.Span, s *served) int {
	n := 0
	for _, span := range shown {
		start, _ := span.Attributes().Get("stall.start_time")
		if began := time.Unix(0, start.Int()); began.After(s.last) || span.EndTimestamp().AsTime().Before(s.arrived) {
			n++
		}
	}
	return n
}

// tells reports whether the stalls that are shown include every one that was met,
// with its cause.
func tells(shown []ptrace.Span, met []cycle) bool {
	for _, want := range met {
		found := slices.ContainsFunc(shown, func(span ptrace.Span) bool {
			start, _ := span.Attributes().Get("stall.start_time")
			off := time.Unix(0, start.Int()).Sub(want.start).Abs()
			return span.Name() == "stall: "+want.cause && off < time.Millisecond
		})
		if !found {
			return false
		}
	}
	return true
}
