package requestcauseprocessor

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// TestHeadOfLineBlocker is the story of one request for eight sequences that
// keeps all others waiting for ten seconds: each of the others names it, and it
// names itself.
func TestHeadOfLineBlocker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		f.start(t)
		begin := time.Now()
		var big, others []call
		for n := range 8 {
			big = append(big, call{
				n: n, start: begin, queue: time.Millisecond, prefill: 200 * time.Millisecond, decode: 11 * time.Second,
				prompt: 100, completion: 512, id: "chatcmpl-big", parent: pcommon.SpanID{7}, trace: pcommon.TraceID{7},
			})
			others = append(others, call{
				n: 100 + n, start: begin.Add(500 * time.Millisecond), queue: 2 * time.Millisecond, prefill: 50 * time.Millisecond,
				decode: 10200 * time.Millisecond, prompt: 30, completion: 16, id: fmt.Sprint("cmpl-", n),
			})
		}
		stall := cycle{
			pid: 101, tid: 101, start: begin.Add(time.Second), end: begin.Add(10500 * time.Millisecond), cause: "gpu_busy",
			typical: 10 * time.Millisecond, summary: "dispatch cycle took 9.5 s, typically 10.0 ms",
		}
		time.Sleep(11 * time.Second)
		require.NoError(t, f.ConsumeTraces(context.Background(), stallTraces(stall)))
		require.NoError(t, f.ConsumeTraces(fromAPIServer(), vllmTraces(others...)))
		time.Sleep(800 * time.Millisecond) // the big one ends later
		require.NoError(t, f.ConsumeTraces(fromAPIServer(), vllmTraces(big...)))
		f.stop(t)

		added := appended(f.out.AllTraces()...)
		for n := range others {
			_, summary := childrenOf(added, &others[n])
			require.NotNil(t, summary)
			assert.Equal(t, "chatcmpl-big", valueOf(*summary, "stall.blocker.id"))
			assert.Nil(t, valueOf(*summary, "stall.blocker.self"))
			assert.Greater(t, valueOf(*summary, "stall.blocker.share"), 0.9)
			assert.Equal(t, "1 stall took 9.50 s of this request's 10.3 s (93 %): gpu_busy 9.50 s; "+
				"97 % of the GPU's known work then was request chatcmpl-big (n 8, 100 prompt and 4096 completion tokens); "+
				"the longest: dispatch cycle took 9.5 s, typically 10.0 ms", valueOf(*summary, "stall.summary"))
			lines := valueOf(*summary, "stall.neighbours").([]any)
			require.Len(t, lines, 3)
			assert.Equal(t, "chatcmpl-big: n 8, 100 prompt and 4096 completion tokens, beside it for 9.50 s, 97 % of the known work", lines[0])
			require.Equal(t, 3, summary.Links().Len())
			assert.Equal(t, big[0].spanID(), summary.Links().At(0).SpanID())
			assert.Equal(t, big[0].traceID(), summary.Links().At(0).TraceID())
		}
		_, summary := childrenOf(added, &big[3])
		require.NotNil(t, summary)
		assert.Equal(t, true, valueOf(*summary, "stall.blocker.self"))
		assert.Contains(t, valueOf(*summary, "stall.summary"), "this request itself was 97 % of the GPU's known work then")
	})
}

// saysNothingOfOthers checks a summary of stalls of the GPU that names nobody.
func saysNothingOfOthers(t *testing.T, summary ptrace.Span) {
	t.Helper()
	require.Equal(t, "stalls", summary.Name())
	require.NotNil(t, valueOf(summary, "stall.time.gpu_busy"))
	assert.NotContains(t, valueOf(summary, "stall.summary"), "work")
	for _, key := range []string{"stall.neighbours", "stall.blocker.id", "stall.blocker.share", "stall.blocker.self"} {
		assert.Nil(t, valueOf(summary, key), key)
	}
	assert.Zero(t, summary.Links().Len())
}

// sglangSummaries lets SGLang's requests meet one stall of the GPU and returns
// their summaries, by trace and parent.
func sglangSummaries(t *testing.T, requests ...ptrace.Traces) map[spanKey]ptrace.Span {
	t.Helper()
	f := newFixture(t, nil)
	f.start(t)
	stall := aStall(time.Now().Add(-2 * time.Second))
	stall.cause = "gpu_busy"
	require.NoError(t, f.ConsumeTraces(context.Background(), stallTraces(stall)))
	for _, traces := range requests {
		require.NoError(t, f.ConsumeTraces(fromAPIServer(), traces))
	}
	f.stop(t)
	found := make(map[spanKey]ptrace.Span)
	for _, span := range appended(f.out.AllTraces()...) {
		if span.Name() == "stalls" {
			found[spanKey{span.TraceID(), span.ParentSpanID()}] = span
		}
	}
	return found
}

// TestALoneRequestOfSGLang is one whose scheduler's span is a request, too: neither
// of the two is the other's neighbour.
func TestALoneRequestOfSGLang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(2 * time.Second)
		summaries := sglangSummaries(t, sglangTraces(time.Now().Add(-2*time.Second)))
		require.Len(t, summaries, 2, "of the request, and of the thread")
		for _, summary := range summaries {
			saysNothingOfOthers(t, summary)
		}
	})
}

// TestABlockerOfSGLang has a short request beside a long one: each span of either
// knows which of the two it is of.
func TestABlockerOfSGLang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(2 * time.Second)
		short, long := sglangTraces(time.Now().Add(-2*time.Second)), sglangTraces(time.Now().Add(-2*time.Second))
		blocker := pcommon.TraceID{8}
		for _, span := range spansWhere(func(string) bool { return true }, long) {
			span.SetTraceID(blocker)
			if _, says := span.Attributes().Get("rid"); says {
				span.Attributes().PutInt("gen_ai.usage.completion_tokens", 12_800)
			}
		}
		summaries := sglangSummaries(t, short, long)
		require.Len(t, summaries, 4)
		for of, summary := range summaries {
			assert.Equal(t, pcommon.SpanID{1}.String(), valueOf(summary, "stall.blocker.id"))
			lines := valueOf(summary, "stall.neighbours").([]any)
			require.Len(t, lines, 1, "the other one")
			assert.NotContains(t, lines[0], " 0 completion tokens")
			if of.trace == blocker {
				assert.Equal(t, true, valueOf(summary, "stall.blocker.self"))
				continue
			}
			assert.Nil(t, valueOf(summary, "stall.blocker.self"))
			assert.Equal(t, blocker, summary.Links().At(0).TraceID())
		}
	})
}

func TestNeighboursAreForStallsOfTheGPU(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		f.start(t)
		begin := time.Now()
		time.Sleep(2 * time.Second)
		c := aCall(1, begin)
		require.NoError(t, f.ConsumeTraces(context.Background(), stallTraces(aStall(begin)))) // lock
		require.NoError(t, f.ConsumeTraces(fromAPIServer(), vllmTraces(c, aCall(2, begin))))
		f.stop(t)
		_, summary := childrenOf(appended(f.out.AllTraces()...), &c)
		require.NotNil(t, summary)
		assert.Nil(t, valueOf(*summary, "stall.neighbours"))
		assert.Nil(t, valueOf(*summary, "stall.blocker.id"))
	})
}
