package requestcauseprocessor

import (
	"context"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumertest"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/process"
)

// dataParallel is a machine with an API server, process 100, whose requests two
// engines share.
type dataParallel struct{}

func (dataParallel) Relatives([]int64) (process.Relatives, bool) {
	return process.Relatives{
		100: {PID: 100, ParentPID: 1, OwnPID: 100, Start: 1, Executable: "python"},
		101: {PID: 101, ParentPID: 100, OwnPID: 101, Start: 2, Executable: "python", Title: "VLLM::EngineCore_DP0"},
		102: {PID: 102, ParentPID: 100, OwnPID: 102, Start: 2, Executable: "python", Title: "VLLM::EngineCore_DP1"},
	}, true
}

func (dataParallel) Owner(local netip.AddrPort, among process.Relatives) (int64, bool) {
	return vllmServer{}.Owner(local, among)
}

// TestSeveralEngines has requests to two engines, of which one has much to do for
// one of them. Which engine a request was served by is not known, so nothing is told
// as if it were.
func TestSeveralEngines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := new(consumertest.TracesSink)
		f := fixtureOn(t, machine{hostID: hostID, hostName: "node-1", procs: dataParallel{}}, nil, sink)
		f.start(t)
		begin := time.Now()
		time.Sleep(2 * time.Second)
		busy, other := aStall(begin), aStall(begin.Add(200*time.Millisecond))
		busy.cause, other.cause, other.pid, other.tid = "gpu_busy", "lock", 102, 102
		require.NoError(t, f.ConsumeTraces(context.Background(), stallTraces(busy, other)))
		calls := []call{aCall(1, begin), aCall(2, begin), aCall(3, begin)}
		calls[0].completion = 100_000
		require.NoError(t, f.ConsumeTraces(fromAPIServer(), vllmTraces(calls...)))
		f.drain(t)
		added := appended(sink.AllTraces()...)
		for n := range calls {
			stalls, summary := childrenOf(added, &calls[n])
			require.Len(t, stalls, 2)
			for _, stall := range stalls {
				assert.Equal(t, "service", valueOf(stall, "stall.scope"))
			}
			require.NotNil(t, summary)
			assert.Equal(t, "service", valueOf(*summary, "stall.scope"))
			assert.Equal(t, "2 stalls of the service's engines overlapped this request (at most 80.0 ms of its 1.00 s, 8 %): "+
				"gpu_busy 40.0 ms, lock 40.0 ms; the longest: dispatch cycle of VLLM::EngineCor: gpu_busy", valueOf(*summary, "stall.summary"))
			saysNothingOfOthers(t, *summary)
		}
		for _, span := range added {
			if span.Name() == "delayed requests" {
				require.Equal(t, len(calls), span.Links().Len())
				scope, _ := span.Links().At(0).Attributes().Get("stall.scope")
				assert.Equal(t, "service", scope.Str(), "the way back is no surer than the way there")
			}
		}
		assert.Zero(t, f.count(t, "requestcause_neighbours"))
		f.stop(t)
	})
}
