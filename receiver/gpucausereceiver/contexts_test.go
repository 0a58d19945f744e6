package gpucausereceiver

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
	"github.com/gpucause/gpucause/internal/processcontext"
	"github.com/gpucause/gpucause/internal/threadcontext"
	"github.com/gpucause/gpucause/receiver/gpucausereceiver/internal/metadatatest"
)

var trainer = map[string]any{"service.name": "trainer"}

// contextBench is contexts whose questions the test answers.
type contextBench struct {
	*contexts
	source    *fakeSource
	questions []contextQuestion
	now       ktime.Time
}

func newContextBench(t *testing.T, config TraceContextConfig) *contextBench {
	t.Helper()
	all := testConfig()
	all.TraceContext, all.Limits.MaxProcesses = config, 2
	b := &contextBench{source: &fakeSource{}, now: 1}
	procPath := t.TempDir()
	writeProcess(t, procPath, "")
	processes := newProcesses(procPath, host{}, ResourceConfig{})
	processes.renew(event.ProcessID{PID: 7, Start: 1})
	b.contexts = newContexts(all, b.source, processes, func(contextQuestion) (contextAnswer, error) { return contextAnswer{}, nil })
	return b
}

// pass collects after some time, and takes the questions.
func (b *contextBench) pass(d time.Duration) []contextQuestion {
	b.now = b.now.Add(d)
	b.collect(b.now)
	b.questions = nil
	for {
		select {
		case q := <-b.asker.questions:
			b.questions = append(b.questions, q)
		default:
			return b.questions
		}
	}
}

// answer answers the last question.
func (b *contextBench) answer(answer contextAnswer) {
	q := b.questions[len(b.questions)-1]
	b.asker.found <- answered[contextQuestion, contextAnswer]{q, answer}
	b.collect(b.now)
}

func (b *contextBench) serviceName() any {
	return b.processes.known[7].attributes.AsRaw()["service.name"]
}

func TestWhatAProcessPublishesIsReadAgainAndAgain(t *testing.T) {
	b := newContextBench(t, TraceContextConfig{ProcessContext: true, ThreadContext: true})
	b.watch(event.ProcessID{PID: 7, Start: 1})
	require.Len(t, b.pass(0), 1)
	assert.True(t, b.questions[0].threads)
	b.answer(contextAnswer{})
	assert.Equal(t, "engine", b.serviceName())
	assert.Empty(t, b.source.places)

	assert.Empty(t, b.pass(contextFirst-1))
	require.Len(t, b.pass(1), 1)
	place := threadcontext.Place{Offset: 16}
	b.answer(contextAnswer{process: processcontext.Context{Resource: trainer, ThreadSchema: "tls_v1"}, place: place})
	assert.Equal(t, "trainer", b.serviceName())
	assert.Equal(t, []threadcontext.Place{place}, b.source.places)
	assert.Equal(t, contextStats{losses: map[string]uint64{}, process: 1, threads: 1}, b.stats())

	assert.Empty(t, b.pass(2*contextFirst-1))
	require.Len(t, b.pass(1), 1)
	b.answer(contextAnswer{process: processcontext.Context{Resource: trainer}, place: place})
	assert.Len(t, b.source.places, 1, "it is known")

	asked := 0
	for range 3600 {
		asked += len(b.pass(10 * time.Second))
	}
	assert.InDelta(t, float64(10*time.Hour/contextLast), asked, 10)
	require.Len(t, b.pass(contextLast), 1)
	b.answer(contextAnswer{})
	assert.Equal(t, "engine", b.serviceName(), "it has withdrawn it")
	assert.Equal(t, []threadcontext.Place{place, {}}, b.source.places)
}

func TestAnswersAboutAnotherProgramAreDropped(t *testing.T) {
	b := newContextBench(t, TraceContextConfig{ProcessContext: true, ThreadContext: true})
	id := event.ProcessID{PID: 7, Start: 1}
	old := contextAnswer{process: processcontext.Context{Resource: trainer}, place: threadcontext.Place{Offset: 8}}
	b.watch(id)
	require.Len(t, b.pass(0), 1)
	b.forget(7)
	b.watch(id)
	b.answer(old)
	assert.Equal(t, "engine", b.serviceName())
	assert.Empty(t, b.source.places)

	b.pass(0)
	b.end(event.ProcessID{PID: 7})
	assert.Len(t, b.publishers, 1, "its number had another owner before")
	b.end(id)
	b.answer(old)
	assert.Empty(t, b.publishers)
	assert.Empty(t, b.source.places)
}

func TestLossesOfContextsAreCountedOnce(t *testing.T) {
	b := newContextBench(t, TraceContextConfig{ProcessContext: true, ThreadContext: true})
	b.watch(event.ProcessID{PID: 7, Start: 1})
	b.watch(event.ProcessID{PID: 8, Start: 1})
	b.watch(event.ProcessID{PID: 9, Start: 1})
	assert.Equal(t, map[string]uint64{"refused": 1}, b.losses, "room for two")
	b.forget(8)
	for range 3 {
		b.pass(time.Hour)
		b.answer(contextAnswer{processErr: processcontext.ErrMalformed, placeErr: threadcontext.ErrDynamic})
		b.pass(time.Hour)
		b.answer(contextAnswer{process: processcontext.Context{ThreadSchema: "tls_v9"}, place: threadcontext.Place{Offset: 8}})
	}
	assert.Empty(t, b.source.places)
	b.source.placeErr = errBroken
	for range 2 {
		b.pass(time.Hour)
		b.answer(contextAnswer{place: threadcontext.Place{Offset: 8}})
	}
	assert.Equal(t, map[string]uint64{"refused": 2, "process_context": 1, "thread_context": 1, "schema": 1}, b.losses)
	assert.Zero(t, b.stats().threads)
}

// A failed read says nothing of where thread contexts are: they are still read there.
func TestFailedReadsKeepWhatIsKnown(t *testing.T) {
	place := threadcontext.Place{Offset: 8}
	for name, test := range map[string]struct {
		answer contextAnswer
		kept   bool
	}{
		"unread":                 {contextAnswer{placeErr: errBroken}, true},
		"not resolved":           {contextAnswer{placeErr: fmt.Errorf("finding: %w", threadcontext.ErrUnresolved)}, true},
		"nothing read":           {contextAnswer{placeErr: errBroken, processErr: errBroken}, true},
		"process context unread": {contextAnswer{place: place, processErr: errBroken}, true},
		"withdrawn":              {contextAnswer{}, false},
		"ambiguous":              {contextAnswer{placeErr: fmt.Errorf("finding: %w", threadcontext.ErrAmbiguous)}, false},
		"no fixed place":         {contextAnswer{placeErr: fmt.Errorf("finding: %w", threadcontext.ErrDynamic)}, false},
		"of another kind since": {
			contextAnswer{placeErr: errBroken, process: processcontext.Context{ThreadSchema: "tls_v9"}}, false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newContextBench(t, TraceContextConfig{ProcessContext: true, ThreadContext: true})
			b.watch(event.ProcessID{PID: 7, Start: 1})
			b.pass(0)
			b.answer(contextAnswer{process: processcontext.Context{ThreadSchema: "tls_v1"}, place: place})
			b.pass(time.Hour)
			b.answer(test.answer)
			want := []threadcontext.Place{place}
			if !test.kept {
				want = append(want, threadcontext.Place{})
			}
			assert.Equal(t, want, b.source.places)
			assert.Equal(t, test.kept, b.stats().threads == 1)
		})
	}
}

// What a process said of its thread contexts holds until it says something else.
func TestAnUnreadProcessContextIsNoKindOfThreadContext(t *testing.T) {
	b := newContextBench(t, TraceContextConfig{ProcessContext: true, ThreadContext: true})
	place := threadcontext.Place{Offset: 8}
	b.watch(event.ProcessID{PID: 7, Start: 1})
	for _, answer := range []contextAnswer{
		{process: processcontext.Context{ThreadSchema: "tls_v9"}, place: place},
		{processErr: processcontext.ErrUpdating, place: place},
	} {
		b.pass(time.Hour)
		b.answer(answer)
		assert.Empty(t, b.source.places)
	}
	b.pass(time.Hour)
	b.answer(contextAnswer{place: place})
	assert.Equal(t, []threadcontext.Place{place}, b.source.places)
}

func TestOnlyWhatIsWantedIsRead(t *testing.T) {
	none := newContextBench(t, TraceContextConfig{SharedMap: true})
	none.watch(event.ProcessID{PID: 7, Start: 1})
	assert.Empty(t, none.pass(0))

	threads := newContextBench(t, TraceContextConfig{ThreadContext: true})
	threads.watch(event.ProcessID{PID: 7, Start: 1})
	require.Len(t, threads.pass(0), 1)
	threads.answer(contextAnswer{process: processcontext.Context{Resource: trainer}, place: threadcontext.Place{Offset: 8}})
	assert.Equal(t, "engine", threads.serviceName())
	assert.Len(t, threads.source.places, 1)

	process := newContextBench(t, TraceContextConfig{ProcessContext: true})
	process.watch(event.ProcessID{PID: 7, Start: 1})
	require.Len(t, process.pass(0), 1)
	assert.False(t, process.questions[0].threads)
}

func TestTracesHaveThePublishedResource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		writeProcessOf(t, b.receiver.machine.procPath, "100", "")
		b.receiver.machine.readContext = func(q contextQuestion) (contextAnswer, error) {
			if q.id != engineProcess {
				return contextAnswer{processErr: processcontext.ErrVersion}, nil
			}
			return contextAnswer{process: processcontext.Context{Resource: trainer}}, nil
		}
		b.start()
		b.source.put(slowCall(t, 1)...)
		b.pass(time.Second)
		require.Len(t, b.traces.AllTraces(), 1)
		resource := b.traces.AllTraces()[0].ResourceSpans().At(0).Resource().Attributes().AsRaw()
		assert.Equal(t, "trainer", resource["service.name"])

		b.source.count(oneCall(t))
		b.pass(b.config.CollectionInterval)
		metadatatest.AssertEqualGpucauseContextPublishers(t, b.telemetry, []metricdata.DataPoint[int64]{
			{Value: 1, Attributes: attributes("context", "process")},
			{Value: 0, Attributes: attributes("context", "thread")},
		}, ignored()...)
		losses, err := b.telemetry.GetMetric("otelcol_gpucause_context_losses")
		require.NoError(t, err)
		assert.Len(t, losses.Data.(metricdata.Sum[int64]).DataPoints, 5)
		b.shutdown()
	})
}

func TestReadingContextsOfAGoneProcess(t *testing.T) {
	machine := thisMachine()
	if machine.readContext == nil {
		t.Skip("contexts are read on Linux only")
	}
	_, err := machine.readContext(contextQuestion{id: event.ProcessID{PID: 1 << 30, Start: 1}, threads: true})
	require.Error(t, err)
}
