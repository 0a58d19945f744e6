package requestcauseprocessor

import (
	"context"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/attribute"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/locate"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/process"
)

// sluggish is the machine of vllmServer, on which looks and searches go through a
// turnstile each.
type sluggish struct {
	vllmServer
	looks, searches turnstile
}

func (s *sluggish) Relatives(of []int64) (process.Relatives, bool) {
	s.looks.pass()
	return s.vllmServer.Relatives(of)
}

func (s *sluggish) Owner(local netip.AddrPort, among process.Relatives) (int64, bool) {
	s.searches.pass()
	return s.vllmServer.Owner(local, among)
}

// turnstile lets so many pass as are free, and all others when it is opened.
type turnstile struct {
	free   int32
	takes  time.Duration // to pass
	opened chan struct{} // nil where nobody has to wait

	came, within atomic.Int32
}

func (s *turnstile) pass() {
	s.within.Add(1)
	defer s.within.Add(-1)
	if s.came.Add(1) > s.free && s.opened != nil {
		<-s.opened
	}
	time.Sleep(s.takes)
}

// onSluggish creates a processor on a machine, and a sink behind it.
func onSluggish(t *testing.T, procs *sluggish, change func(*Config)) *fixture {
	t.Helper()
	sink := new(consumertest.TracesSink)
	f := fixtureOn(t, machine{hostID: hostID, hostName: "node-1", procs: procs}, change, sink)
	f.out = sink
	f.start(t)
	return f
}

// shutdown shuts a processor down without a limit, and returns how long it took.
func (f *fixture) shutdown(t *testing.T) time.Duration {
	t.Helper()
	began := time.Now()
	require.NoError(t, f.Shutdown(context.Background()))
	return time.Since(began)
}

func onlyByPeer(c call) ptrace.Traces {
	traces := vllmTraces(c)
	traces.ResourceSpans().At(0).Resource().Attributes().Remove("vllm.process_id")
	return traces
}

func evidenceOf(t *testing.T, f *fixture, c call) any {
	t.Helper()
	_, summary := childrenOf(appended(f.out.AllTraces()...), &c)
	require.NotNil(t, summary)
	return valueOf(*summary, "stall.evidence")
}

// TestALookThatHangs has a process hang after it was looked at once. Everything is
// joined by what was known then, in its time.
func TestALookThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		procs := &sluggish{looks: turnstile{free: 1, opened: make(chan struct{})}}
		defer close(procs.looks.opened)
		f := onSluggish(t, procs, nil)
		require.NoError(t, f.ConsumeTraces(context.Background(), stallTraces(aStall(time.Now()))))
		time.Sleep(aWhile)
		require.Equal(t, int32(1), procs.looks.within.Load(), "it hangs")
		for n := range 3 {
			f.out.Reset()
			c := aCall(n, time.Now())
			another := aStall(c.start)
			another.pid = 200 + int64(n) // which is new, and cannot be looked at
			require.NoError(t, f.ConsumeTraces(context.Background(), stallTraces(aStall(c.start), another)))
			require.NoError(t, f.ConsumeTraces(fromAPIServer(), onlyByPeer(c)))
			time.Sleep(time.Second)
			synctest.Wait()
			require.Len(t, f.out.AllTraces(), 2, "after its wait")
			assert.Equal(t, "peer", evidenceOf(t, f, c))
		}
		assert.Equal(t, int32(1), procs.looks.within.Load(), "no more of them hang")
		assert.Equal(t, int64(1), f.count(t, "requestcause_lookups_slow", attribute.String("kind", "processes")))
		assert.Zero(t, f.count(t, "requestcause_payloads_unanswered"))
		assert.LessOrEqual(t, f.shutdown(t), locate.Patience)
	})
}

// TestTheFirstLookHangs has nothing known of processes but what the receiver says.
func TestTheFirstLookHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		procs := &sluggish{looks: turnstile{opened: make(chan struct{})}}
		defer close(procs.looks.opened)
		f := onSluggish(t, procs, nil)
		c := aCall(1, time.Now())
		require.NoError(t, f.ConsumeTraces(context.Background(), stallTraces(aStall(c.start))))
		require.NoError(t, f.ConsumeTraces(fromAPIServer(), vllmTraces(c)))
		time.Sleep(time.Second)
		synctest.Wait()
		assert.Equal(t, "process", evidenceOf(t, f, c))
		assert.Equal(t, int64(1), f.count(t, "requestcause_payloads_unanswered"))
		assert.LessOrEqual(t, f.shutdown(t), locate.Patience)
	})
}

// TestASearchThatHangs has the search for the first connection hang, and those for
// others behind it.
func TestASearchThatHangs(t *testing.T) {
	for name, test := range map[string]struct{ wait, first, later time.Duration }{
		"default wait": {time.Second, time.Second, time.Second},
		"no wait":      {0, locate.Patience, 0},
		"long wait":    {5 * time.Second, 5 * time.Second, 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				procs := &sluggish{searches: turnstile{opened: make(chan struct{})}}
				defer close(procs.searches.opened)
				f := onSluggish(t, procs, func(c *Config) { c.Wait = test.wait })
				require.NoError(t, f.ConsumeTraces(context.Background(), stallTraces(aStall(time.Now()))))
				for n, leaves := range []time.Duration{test.first, test.later, test.later} {
					time.Sleep(aWhile)
					f.out.Reset()
					c := aCall(n, time.Now())
					require.NoError(t, f.ConsumeTraces(context.Background(), stallTraces(aStall(c.start))))
					require.NoError(t, f.ConsumeTraces(fromPeer("127.0.0.1:"+[]string{"40001", "40002", "40001"}[n]), vllmTraces(c)))
					if leaves > 0 {
						time.Sleep(leaves - time.Nanosecond)
						require.Len(t, f.out.AllTraces(), 1, "not before")
						time.Sleep(time.Nanosecond)
					}
					synctest.Wait()
					require.Len(t, f.out.AllTraces(), 2, "in its time")
					assert.Equal(t, "process", evidenceOf(t, f, c))
					assert.Equal(t, int64(n+1), f.count(t, "requestcause_payloads_unanswered"))
				}
				assert.Equal(t, int32(1), procs.searches.came.Load(), "no more of them hang")
				assert.Equal(t, int64(1), f.count(t, "requestcause_lookups_slow", attribute.String("kind", "connection")))
				assert.LessOrEqual(t, f.shutdown(t), locate.Patience)
			})
		})
	}
}

// TestShutdownWhileASearchHangs has a payload that has just come.
func TestShutdownWhileASearchHangs(t *testing.T) {
	for name, limit := range map[string]time.Duration{"without a limit": 0, "with one": 400 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				procs := &sluggish{searches: turnstile{opened: make(chan struct{})}}
				defer close(procs.searches.opened)
				f := onSluggish(t, procs, func(c *Config) { c.Wait = maxWait })
				c := aCall(1, time.Now())
				require.NoError(t, f.ConsumeTraces(context.Background(), stallTraces(aStall(c.start))))
				require.NoError(t, f.ConsumeTraces(fromAPIServer(), vllmTraces(c)))
				ctx, most := context.Background(), 2*locate.Patience
				if limit > 0 {
					limited, cancel := context.WithTimeout(ctx, limit)
					defer cancel()
					ctx, most = limited, limit
				}
				began := time.Now()
				require.NoError(t, f.Shutdown(ctx))
				assert.LessOrEqual(t, time.Since(began), most)
				require.Len(t, f.out.AllTraces(), 2)
				assert.Equal(t, "process", evidenceOf(t, f, c))
			})
		})
	}
}

// TestTheSearchBeginsWhenThePayloadComes has a search that takes nearly as long as
// the payload is held.
func TestTheSearchBeginsWhenThePayloadComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		procs := &sluggish{searches: turnstile{takes: 900 * time.Millisecond}}
		f := onSluggish(t, procs, nil)
		c := aCall(1, time.Now())
		require.NoError(t, f.ConsumeTraces(context.Background(), stallTraces(aStall(c.start))))
		require.NoError(t, f.ConsumeTraces(fromAPIServer(), onlyByPeer(c)))
		time.Sleep(time.Second)
		synctest.Wait()
		assert.Equal(t, "peer", evidenceOf(t, f, c))
		assert.Zero(t, f.count(t, "requestcause_lookups_slow"))
		f.stop(t)
	})
}

func resolving(c *Config) { c.Mode = ModeResolve }

// consumed passes a payload and returns how long that took.
func (f *fixture) consumed(ctx context.Context, t *testing.T, traces ptrace.Traces) time.Duration {
	t.Helper()
	began := time.Now()
	require.NoError(t, f.ConsumeTraces(ctx, traces))
	return time.Since(began)
}

// lastStamp returns the stamp of a resource of the payload that came last, if there
// is one.
func (f *fixture) lastStamp(resource int) (string, bool) {
	all := f.out.AllTraces()
	stamp, ok := all[len(all)-1].ResourceSpans().At(resource).Resource().Attributes().Get("gpucause.process_group")
	if !ok {
		return "", false
	}
	return stamp.Str(), true
}

// TestResolveWaitsForASearch has one that is worth waiting for. What it has found
// is not searched for again.
func TestResolveWaitsForASearch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		procs := &sluggish{searches: turnstile{takes: answerWithin / 2}}
		f := onSluggish(t, procs, resolving)
		require.NoError(t, f.ConsumeTraces(context.Background(), stallTraces(aStall(time.Now()))))
		for n, took := range []time.Duration{answerWithin / 2, 0} {
			assert.Equal(t, took, f.consumed(fromAPIServer(), t, onlyByPeer(aCall(n, time.Now()))))
			stamp, _ := f.lastStamp(0)
			assert.Equal(t, hostID+"/101", stamp)
		}
		assert.Zero(t, f.count(t, "requestcause_payloads_unanswered"))
		f.stop(t)
	})
}

// TestResolveDoesNotWaitForLong has a search hang. What has no requests is not
// delayed at all, and nothing is after a while.
func TestResolveDoesNotWaitForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		procs := &sluggish{searches: turnstile{opened: make(chan struct{})}}
		defer close(procs.searches.opened)
		f := onSluggish(t, procs, resolving)
		require.NoError(t, f.ConsumeTraces(context.Background(), stallTraces(aStall(time.Now()))))
		synctest.Wait()
		assert.Equal(t, answerWithin, f.consumed(fromAPIServer(), t, vllmTraces(aCall(1, time.Now()))))
		stamp, _ := f.lastStamp(0)
		assert.Equal(t, hostID+"/101", stamp, "by its number")
		assert.Equal(t, answerWithin, f.consumed(fromPeer("127.0.0.1:40002"), t, vllmTraces(aCall(2, time.Now()))))
		assert.Zero(t, f.consumed(fromAPIServer(), t, startupTraces()))
		ended, cancel := context.WithCancel(fromAPIServer())
		cancel()
		assert.Zero(t, f.consumed(ended, t, vllmTraces(aCall(3, time.Now()))))
		time.Sleep(locate.Patience)
		assert.Zero(t, f.consumed(fromAPIServer(), t, vllmTraces(aCall(4, time.Now()))))
		assert.Equal(t, int64(4), f.count(t, "requestcause_payloads_unanswered"))
		assert.Equal(t, int64(1), f.count(t, "requestcause_lookups_slow"))
		assert.Equal(t, int32(1), procs.searches.came.Load(), "no more of them hang")
		assert.LessOrEqual(t, f.shutdown(t), locate.Patience)
	})
}

// TestResolveKnowsWhatWasFoundBefore has looks hang, and a connection that was
// known before.
func TestResolveKnowsWhatWasFoundBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		procs := &sluggish{looks: turnstile{free: 1, opened: make(chan struct{})}}
		defer close(procs.looks.opened)
		f := onSluggish(t, procs, resolving)
		require.NoError(t, f.ConsumeTraces(context.Background(), stallTraces(aStall(time.Now()))))
		for n := range 3 {
			assert.Zero(t, f.consumed(fromAPIServer(), t, onlyByPeer(aCall(n, time.Now()))))
			stamp, _ := f.lastStamp(0)
			assert.Equal(t, hostID+"/101", stamp)
			time.Sleep(aWhile)
		}
		assert.LessOrEqual(t, f.shutdown(t), locate.Patience)
	})
}

// startupTraces are a start-up span of the API server.
func startupTraces() ptrace.Traces {
	traces := ptrace.NewTraces()
	resource := traces.ResourceSpans().AppendEmpty()
	resource.Resource().Attributes().PutStr("vllm.process_id", "100")
	scope := resource.ScopeSpans().AppendEmpty()
	scope.Scope().SetName("vllm.tracing.otel")
	span := scope.Spans().AppendEmpty()
	span.SetName("Overall Loading")
	span.SetTraceID(pcommon.TraceID{1})
	span.Attributes().PutStr("code.function", "load")
	return traces
}

func TestOnlyResourcesWithRequestsAreStamped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, resolving)
		f.start(t)
		require.NoError(t, f.ConsumeTraces(context.Background(), stallTraces(aStall(time.Now()))))
		alone := startupTraces()
		before := marshal(t, alone)
		require.NoError(t, f.ConsumeTraces(fromAPIServer(), alone))
		assert.Equal(t, before, marshal(t, f.out.AllTraces()[1]))
		both := startupTraces()
		vllmTraces(aCall(1, time.Now())).ResourceSpans().MoveAndAppendTo(both.ResourceSpans())
		require.NoError(t, f.ConsumeTraces(fromAPIServer(), both))
		_, stamped := f.lastStamp(0)
		assert.False(t, stamped)
		stamp, _ := f.lastStamp(1)
		assert.Equal(t, hostID+"/101", stamp)
		assert.Equal(t, int64(1), f.count(t, "requestcause_resources_stamped"))
		f.stop(t)
	})
}
