package requestcauseprocessor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/process"
)

// aWhile is longer than anything waits.
const aWhile = time.Minute

// aStall is a stall of 40 ms, from 100 ms on after start.
func aStall(start time.Time) cycle {
	return cycle{
		pid: 101, tid: 101, start: start.Add(100 * time.Millisecond), end: start.Add(140 * time.Millisecond),
		cause: "lock", typical: 10 * time.Millisecond,
	}
}

// aCall is a request of a second, of which the first 20 ms are queue and
// the next 100 prefill.
func aCall(n int, start time.Time) call {
	return call{
		n: n, start: start, queue: 20 * time.Millisecond, prefill: 100 * time.Millisecond, decode: 880 * time.Millisecond,
		lag: 2 * time.Millisecond, prompt: 512, completion: 128, id: fmt.Sprint("cmpl-", n),
	}
}

func TestARequestGetsItsStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		f.start(t)
		begin := time.Now()
		time.Sleep(2 * time.Second)
		c, s := aCall(1, begin), aStall(begin)
		require.NoError(t, f.ConsumeTraces(context.Background(), stallTraces(s)))
		require.NoError(t, f.ConsumeTraces(fromAPIServer(), vllmTraces(c)))
		time.Sleep(aWhile)
		require.Len(t, f.out.AllTraces(), 2)

		stalls, summary := childrenOf(appended(f.out.AllTraces()...), &c)
		require.Len(t, stalls, 1)
		child := stalls[0]
		assert.Equal(t, "stall: lock", child.Name())
		assert.Equal(t, pcommon.NewTimestampFromTime(s.start), child.StartTimestamp())
		assert.Equal(t, pcommon.NewTimestampFromTime(s.end), child.EndTimestamp())
		assert.Equal(t, map[string]any{
			"stall.kind": "stall", "stall.cause": "lock", "stall.explained": 0.9,
			"stall.summary": "dispatch cycle of VLLM::EngineCor: lock",
			"thread.id":     int64(101), "thread.name": "VLLM::EngineCor", "stall.scope": "engine",
			"stall.start_time": s.start.UnixNano(), "stall.duration": 0.04, "stall.overlap": 0.04,
			"dispatch.typical_duration": 0.01, "stall.excess": 0.03,
			"stall.phase": "prefill", "stall.phase.prefill": 0.5, "stall.phase.decode": 0.5,
		}, child.Attributes().AsRaw())
		require.Equal(t, 1, child.Links().Len())
		assert.Equal(t, s.traceID(), child.Links().At(0).TraceID())
		assert.Equal(t, s.rootID(), child.Links().At(0).SpanID())

		require.NotNil(t, summary)
		assert.Equal(t, map[string]any{
			"stall.summary": "1 stall took 40.0 ms of this request's 1.00 s (4 %): lock 40.0 ms; the longest: dispatch cycle of VLLM::EngineCor: lock",
			"stall.cause":   "lock", "stall.count": int64(1), "stall.shown": int64(1), "stall.processes": int64(1),
			"stall.time": 0.04, "stall.share": 0.04 / 1.002, "stall.excess": 0.03, "stall.time.lock": 0.04,
			"stall.time_in.prefill": 0.02, "stall.time_in.decode": 0.02, "stall.scope": "engine", "stall.evidence": "peer",
		}, summary.Attributes().AsRaw())
		f.stop(t)
	})
}

func TestTheStallsTraceLeadsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(c *Config) { c.Spans.MaxRequestsPerStall = 3 })
		f.start(t)
		begin := time.Now()
		time.Sleep(2 * time.Second)
		s := aStall(begin)
		require.NoError(t, f.ConsumeTraces(context.Background(), stallTraces(s)))
		require.NoError(t, f.ConsumeTraces(fromAPIServer(), vllmTraces(aCall(1, begin), aCall(2, begin))))
		require.NoError(t, f.ConsumeTraces(fromAPIServer(), vllmTraces(aCall(3, begin), aCall(4, begin))))
		time.Sleep(aWhile)
		var back []ptrace.Span
		for _, span := range appended(f.out.AllTraces()...) {
			if span.Name() == "delayed requests" {
				back = append(back, span)
			}
		}
		require.Len(t, back, 2, "one per payload")
		assert.Equal(t, 2, back[0].Links().Len())
		assert.Equal(t, 1, back[1].Links().Len(), "no more than three requests are linked")
		for _, span := range back {
			assert.Equal(t, s.traceID(), span.TraceID())
			assert.Equal(t, s.rootID(), span.ParentSpanID())
			assert.GreaterOrEqual(t, span.StartTimestamp(), pcommon.NewTimestampFromTime(s.start))
			assert.LessOrEqual(t, span.EndTimestamp(), pcommon.NewTimestampFromTime(s.end))
		}
		assert.NotEqual(t, back[0].SpanID(), back[1].SpanID())
		first := aCall(1, begin)
		assert.Equal(t, first.spanID(), back[0].Links().At(0).SpanID())
		f.stop(t)
	})
}

func TestStallsMayComeLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		f.start(t)
		begin := time.Now()
		time.Sleep(time.Second)
		c := aCall(1, begin)
		require.NoError(t, f.ConsumeTraces(fromAPIServer(), vllmTraces(c)))
		time.Sleep(900 * time.Millisecond)
		require.Empty(t, f.out.AllTraces(), "it is held")
		require.NoError(t, f.ConsumeTraces(context.Background(), stallTraces(aStall(begin))))
		require.Len(t, f.out.AllTraces(), 1, "stalls are not")
		time.Sleep(time.Second)
		stalls, _ := childrenOf(appended(f.out.AllTraces()...), &c)
		assert.Len(t, stalls, 1)
		f.stop(t)
	})
}

// TestOnlyAppends sends each of vLLM's payloads through while the engine stalls,
// and expects it to be, byte by byte, the beginning of what comes out.
func TestOnlyAppends(t *testing.T) {
	for name, traces := range fixtures(t) {
		synctest.Test(t, func(t *testing.T) {
			sender := process.ReadSender(traces.ResourceSpans().At(0).Resource().Attributes(), process.Peer{}, "")
			sink := new(consumertest.TracesSink)
			f := fixtureOn(t, machine{hostID: hostID, hostName: "vm", procs: vllmServer{own: sender.PID}}, nil, sink)
			f.start(t)
			begin := time.Now()
			moveTo(traces, begin)
			before := marshal(t, traces)
			time.Sleep(3 * time.Second)
			require.NoError(t, f.ConsumeTraces(context.Background(), stallTraces(aStall(begin))))
			require.NoError(t, f.ConsumeTraces(fromAPIServer(), traces))
			f.stop(t)
			require.Len(t, sink.AllTraces(), 2)
			after := marshal(t, sink.AllTraces()[1])
			assert.True(t, bytes.HasPrefix(after, before), name)
			assert.Len(t, appended(sink.AllTraces()[1]), 3, "%s: a stall, a summary, and the way back", name)
		})
	}
}

func TestOthersPassThroughAtOnceAndUntouched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		f.start(t)
		other := ptrace.NewTraces()
		scope := other.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty()
		scope.Scope().SetName("http")
		scope.Spans().AppendEmpty().SetName("GET /")
		for _, traces := range []ptrace.Traces{other, ptrace.NewTraces(), stallTraces(aStall(time.Now()))} {
			before := marshal(t, traces)
			require.NoError(t, f.ConsumeTraces(fromAPIServer(), traces))
			require.Len(t, f.out.AllTraces(), 1, "at once")
			assert.Equal(t, before, marshal(t, f.out.AllTraces()[0]))
			f.out.Reset()
		}
		f.stop(t)
	})
}

func TestARequestWithoutStallsStaysAsItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		f.start(t)
		begin := time.Now()
		time.Sleep(3 * time.Second)
		require.NoError(t, f.ConsumeTraces(context.Background(), stallTraces(aStall(begin))))
		f.out.Reset()
		traces := vllmTraces(aCall(1, begin.Add(time.Second)))
		before := marshal(t, traces)
		require.NoError(t, f.ConsumeTraces(fromAPIServer(), traces))
		time.Sleep(aWhile)
		require.Len(t, f.out.AllTraces(), 1)
		assert.Equal(t, before, marshal(t, f.out.AllTraces()[0]))
		f.stop(t)
	})
}

func TestAnotherServersRequestStaysAsItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		f.start(t)
		begin := time.Now()
		time.Sleep(2 * time.Second)
		require.NoError(t, f.ConsumeTraces(context.Background(), stallTraces(aStall(begin))))
		f.out.Reset()
		traces := vllmTraces(aCall(1, begin))
		traces.ResourceSpans().At(0).Resource().Attributes().PutStr("vllm.process_id", "4000")
		before := marshal(t, traces)
		require.NoError(t, f.ConsumeTraces(fromPeer("127.0.0.1:40002"), traces))
		time.Sleep(aWhile)
		require.Len(t, f.out.AllTraces(), 1)
		assert.Equal(t, before, marshal(t, f.out.AllTraces()[0]))
		f.stop(t)
	})
}

// closing is the machine of vllmServer, whose connections close at one time.
type closing struct {
	vllmServer
	at time.Time
}

func (c closing) Owner(local netip.AddrPort, among process.Relatives) (int64, bool) {
	if !time.Now().Before(c.at) {
		return 0, false
	}
	return c.vllmServer.Owner(local, among)
}

// TestTheSenderIsMetWhenItsPayloadComes has senders that close their connection
// while their payloads are held, which is for longer than what was found of a
// connection is taken to hold.
func TestTheSenderIsMetWhenItsPayloadComes(t *testing.T) {
	for name, test := range map[string]struct {
		from     context.Context
		evidence any // nil: it is not joined
	}{
		"the server":    {fromAPIServer(), "peer"},
		"somebody else": {fromPeer("127.0.0.1:40002"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sink := new(consumertest.TracesSink)
				procs := closing{at: time.Now().Add(3 * time.Second)}
				f := fixtureOn(t, machine{hostID: hostID, hostName: "node-1", procs: procs}, func(c *Config) { c.Wait = 15 * time.Second }, sink)
				f.start(t)
				c := aCall(1, time.Now())
				time.Sleep(2 * time.Second)
				require.NoError(t, f.ConsumeTraces(context.Background(), stallTraces(aStall(c.start))))
				requests := vllmTraces(c)
				requests.ResourceSpans().At(0).Resource().Attributes().Remove("vllm.process_id")
				require.NoError(t, f.ConsumeTraces(test.from, requests))
				time.Sleep(aWhile)
				_, summary := childrenOf(appended(sink.AllTraces()...), &c)
				if test.evidence == nil {
					assert.Nil(t, summary)
				} else if assert.NotNil(t, summary) {
					assert.Equal(t, test.evidence, valueOf(*summary, "stall.evidence"))
				}
				f.stop(t)
			})
		})
	}
}

func TestHeldPayloadsLeaveInTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		f.start(t)
		begin := time.Now()
		for n := range 100 {
			require.NoError(t, f.ConsumeTraces(fromAPIServer(), vllmTraces(aCall(n, begin))))
			time.Sleep(7 * time.Millisecond)
		}
		f.stop(t)
		require.Len(t, f.out.AllTraces(), 100)
		for n, traces := range f.out.AllTraces() {
			c := aCall(n, begin)
			assert.Equal(t, c.spanID(), traces.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).SpanID())
		}
	})
}

func TestShutdownPassesOnWhatIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		f.start(t)
		begin := time.Now()
		time.Sleep(time.Second)
		c := aCall(1, begin)
		require.NoError(t, f.ConsumeTraces(context.Background(), stallTraces(aStall(begin))))
		require.NoError(t, f.ConsumeTraces(fromAPIServer(), vllmTraces(c)))
		f.stop(t)
		stalls, _ := childrenOf(appended(f.out.AllTraces()...), &c)
		assert.Len(t, stalls, 1, "joined, too")
		require.NoError(t, f.ConsumeTraces(fromAPIServer(), vllmTraces(aCall(2, begin))))
		assert.Len(t, f.out.AllTraces(), 3, "afterwards it passes through")
		require.NoError(t, f.Shutdown(context.Background()))
	})
}

func TestShutdownWithoutStart(t *testing.T) {
	f := newFixture(t, nil)
	f.stop(t)
}

func TestTheClientIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []client.Info
		next, err := consumer.NewTraces(func(ctx context.Context, _ ptrace.Traces) error {
			seen = append(seen, client.FromContext(ctx))
			return nil
		})
		require.NoError(t, err)
		f := fixtureTo(t, nil, next)
		f.start(t)
		require.NoError(t, f.ConsumeTraces(fromAPIServer(), vllmTraces(aCall(1, time.Now()))))
		f.stop(t)
		require.Len(t, seen, 1)
		assert.Equal(t, "127.0.0.1:40001", seen[0].Addr.String())
	})
}

func TestRefusedSpansAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fixtureTo(t, nil, consumertest.NewErr(errors.New("full")))
		f.start(t)
		require.NoError(t, f.ConsumeTraces(fromAPIServer(), vllmTraces(aCall(1, time.Now()), aCall(2, time.Now()))))
		time.Sleep(aWhile)
		assert.Equal(t, int64(2), f.count(t, "requestcause_spans_refused"))
		require.Error(t, f.ConsumeTraces(context.Background(), stallTraces(aStall(time.Now()))), "what is not held is the caller's")
		f.stop(t)
	})
}

// TestFullHold has a next consumer that takes nothing for a while.
func TestFullHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := &gate{open: make(chan struct{})}
		f := fixtureTo(t, func(c *Config) { c.Hold.MaxBytes = minHold }, gate)
		f.start(t)
		begin := time.Now()
		var waiting sync.WaitGroup
		for n := range 600 {
			waiting.Go(func() {
				assert.NoError(t, f.ConsumeTraces(fromAPIServer(), vllmTraces(aCall(n, begin))))
			})
			synctest.Wait()
		}
		unheld, held := f.count(t, "requestcause_payloads_unheld"), f.count(t, "requestcause_payloads_held")
		assert.Equal(t, int64(600), unheld+held)
		assert.Positive(t, unheld)
		assert.LessOrEqual(t, f.count(t, "requestcause_hold_bytes"), int64(minHold))
		assert.Positive(t, f.count(t, "requestcause_payloads_early"))
		close(gate.open)
		waiting.Wait()
		f.stop(t)
		assert.Equal(t, 600, gate.spans, "nothing is lost")
	})
}

func TestHalfFullHoldLetsTheOldestGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(c *Config) { c.Hold.MaxBytes = minHold })
		f.start(t)
		begin := time.Now()
		time.Sleep(2 * time.Second)
		require.NoError(t, f.ConsumeTraces(context.Background(), stallTraces(aStall(begin))))
		f.out.Reset()
		var calls []call
		for n := range 600 {
			calls = append(calls, aCall(n, begin))
			require.NoError(t, f.ConsumeTraces(fromAPIServer(), vllmTraces(calls[n])))
			synctest.Wait()
		}
		assert.Positive(t, f.out.SpanCount(), "before their time")
		f.stop(t)
		added := appended(f.out.AllTraces()...)
		for n := range calls {
			stalls, _ := childrenOf(added, &calls[n])
			assert.Len(t, stalls, 1, "joined with what was there")
		}
	})
}

// gate is a consumer that blocks until it is opened.
type gate struct {
	open  chan struct{}
	mu    sync.Mutex
	spans int
}

func (*gate) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (g *gate) ConsumeTraces(ctx context.Context, traces ptrace.Traces) error {
	select {
	case <-g.open:
	case <-ctx.Done():
		return ctx.Err()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.spans += traces.SpanCount()
	return nil
}

func TestShutdownDoesNotWaitForever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fixtureTo(t, nil, &gate{open: make(chan struct{})})
		f.start(t)
		require.NoError(t, f.ConsumeTraces(fromAPIServer(), vllmTraces(aCall(1, time.Now()))))
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		began := time.Now()
		require.ErrorIs(t, f.Shutdown(ctx), context.DeadlineExceeded)
		assert.Equal(t, 3*time.Second, time.Since(began))
		synctest.Wait()
		assert.Equal(t, int64(1), f.count(t, "requestcause_spans_refused"))
	})
}

// TestShutdownDoesNotWaitForWhoDoesNotListen has a next consumer that blocks
// whatever its context says.
func TestShutdownDoesNotWaitForWhoDoesNotListen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		open, passed := make(chan struct{}), 0
		next, err := consumer.NewTraces(func(context.Context, ptrace.Traces) error {
			passed++
			<-open
			return nil
		})
		require.NoError(t, err)
		f := fixtureTo(t, nil, next)
		f.start(t)
		require.NoError(t, f.ConsumeTraces(fromAPIServer(), vllmTraces(aCall(1, time.Now()))))
		require.NoError(t, f.ConsumeTraces(fromAPIServer(), vllmTraces(aCall(2, time.Now()))))
		time.Sleep(aWhile)
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		began := time.Now()
		require.ErrorIs(t, f.Shutdown(ctx), context.DeadlineExceeded)
		assert.Equal(t, 3*time.Second, time.Since(began))
		require.NoError(t, f.Shutdown(context.Background()), "once is enough")
		close(open)
		synctest.Wait()
		assert.Equal(t, 1, passed, "nothing more after the end")
		assert.Equal(t, int64(1), f.count(t, "requestcause_spans_refused"))
	})
}

// broken is a proc with a defect.
type broken struct{ vllmServer }

func (broken) Owner(netip.AddrPort, process.Relatives) (int64, bool) { panic("a defect") }

func TestADefectDoesNotLosePayloads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := new(consumertest.TracesSink)
		f := fixtureOn(t, machine{hostID: hostID, procs: broken{}}, nil, sink)
		f.start(t)
		c := aCall(1, time.Now())
		require.NoError(t, f.ConsumeTraces(context.Background(), stallTraces(aStall(c.start))))
		require.NoError(t, f.ConsumeTraces(fromAPIServer(), vllmTraces(c)))
		time.Sleep(2 * time.Second)
		assert.Len(t, sink.AllTraces(), 2)
		_, summary := childrenOf(appended(sink.AllTraces()...), &c)
		require.NotNil(t, summary)
		assert.Equal(t, "process", valueOf(*summary, "stall.evidence"), "joined by what is known without it")
		assert.Equal(t, int64(1), f.count(t, "requestcause_panics"))
		f.stop(t)
	})
}
