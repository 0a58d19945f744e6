//go:build amd64 || arm64

package capture

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gpucause/gpucause/internal/event"
)

// ledgers adds up the ledger samples of each thread, and checks each against the clock.
type ledgers struct {
	t      *testing.T
	totals map[event.Thread]*event.Ledger
	checks map[event.Thread]int
}

func (l *ledgers) add(s *event.Snapshot, pids map[event.PID]bool) {
	for _, sample := range s.Ledger {
		thread := sample.Task.Thread
		if pids != nil && !pids[thread.PID] {
			continue
		}
		if l.totals[thread] == nil {
			l.totals[thread] = new(event.Ledger)
		}
		for state, d := range sample.Time {
			require.GreaterOrEqual(l.t, d, time.Duration(0))
			l.totals[thread][state] += d
		}
		elapsed := sample.At.Sub(sample.Since)
		assert.InDelta(l.t, elapsed, l.totals[thread].Total(), float64(elapsed/1000+20*time.Microsecond), "%+v", sample.Task)
		l.checks[thread]++
	}
}

// Whatever nests or overlaps, a dispatcher's ledger sums to the wall clock at every reading.
func TestLedgerSumsToWallClock(t *testing.T) {
	r := startRecorder(t, DefaultSettings())
	l := &ledgers{t: t, totals: make(map[event.Thread]*event.Ledger), checks: make(map[event.Thread]int)}
	r.snapshots = func(s *event.Snapshot) { l.add(s, nil) }
	tr := r.run(`
pin 0
cudaStreamCreate out=s
sleep 20ms # read while it is no dispatcher yet
cudaLaunchKernel func=gemm stream=s
process hog { pin 0; repeat 20 { burn 5ms; sleep 5ms } }
thread worker count=2 {
  cudaStreamCreate out=t@
  repeat 300 { cudaLaunchKernel func=add stream=t@ ns=200us; cudaStreamSynchronize stream=t@ }
}
thread holder { repeat 20 { lock m; sleep 5ms; unlock m; sleep 2ms } }
repeat 20 {
  repeat 50 { cudaLaunchKernel func=gemm stream=s ns=10us }
  inside cuLaunchKernel { lock m; unlock m }
  cudaLaunchKernel func=rope stream=s
  inside { burn 1ms }
  cudaMalloc bytes=1m out=d
  cudaFree ptr=d
  sleep 3ms
  burn 2ms
  inside cuStreamSynchronize { burn 2ms }
  cudaStreamSynchronize stream=s
}
join
`)
	main := event.Thread{}
	for key := range tr.counts {
		if key.symbol == "cudaMalloc" {
			main = key.thread
		}
	}
	require.NotNil(t, l.totals[main])
	require.Greater(t, l.checks[main], 10)
	ledger := l.totals[main]
	t.Logf("%v", ledger)
	for state, least := range map[event.LedgerState]time.Duration{
		event.LedgerSleep:    55 * time.Millisecond,
		event.LedgerRunning:  20 * time.Millisecond,
		event.LedgerSyncSpin: 20 * time.Millisecond,
		event.LedgerMemory:   15 * time.Millisecond,
		event.LedgerLock:     time.Millisecond,
		event.LedgerRunnable: time.Millisecond,
	} {
		assert.Greater(t, ledger[state], least, state.String())
	}
}

// Cycles are told with their ledger, meet without a gap, and count their launches and copies.
func TestCycles(t *testing.T) {
	settings := DefaultSettings()
	settings.MinCycle = 0
	r := startRecorder(t, settings)
	r.run(`
cudaStreamCreate out=s
cudaMallocHost bytes=64k out=h
cudaMalloc bytes=64k out=d
cudaLaunchKernel func=gemm stream=s
cudaStreamSynchronize stream=s
repeat 7 {
  repeat 11 { cudaLaunchKernel func=gemm stream=s ns=100us }
  cudaMemcpyAsync dst=d src=h bytes=1009 kind=h2d stream=s
  cudaStreamSynchronize stream=s
}
fail cuLaunchKernel 700
cudaLaunchKernel func=gemm stream=s
cudaStreamSynchronize stream=s
sleep 20ms
`)
	cycles := r.cycles
	require.Len(t, cycles, 10)
	for i, c := range cycles {
		assert.Equal(t, uint64(i+1), c.ID)
		assert.Equal(t, c.End.Sub(c.Start), c.Ledger.Total(), "cycle %d", i)
		if i > 0 {
			assert.Equal(t, cycles[i-1].End, c.Start)
		}
	}
	assert.Equal(t, uint32(1), cycles[0].FirstLaunches)
	assert.Positive(t, cycles[0].Ledger[event.LedgerModuleLoad])
	for _, c := range cycles[1:8] {
		assert.Equal(t, uint32(11), c.Launches)
		assert.Equal(t, uint64(1009), c.CopiedBytes)
		assert.Equal(t, event.CycleEndSync, c.EndedBy)
		assert.Positive(t, c.Ledger[event.LedgerGPUWait]+c.Ledger[event.LedgerSyncSpin])
		assert.Zero(t, c.Failed)
	}
	assert.Equal(t, uint32(1), cycles[8].Failed)
	assert.Equal(t, event.CycleEndThread, cycles[9].EndedBy)
	assert.InDelta(t, 20*time.Millisecond, cycles[9].Ledger[event.LedgerSleep], float64(5*time.Millisecond))
}

// A cycle without a synchronisation is closed and reopened.
func TestLongCycle(t *testing.T) {
	settings := DefaultSettings()
	settings.MaxCycle = 20 * time.Millisecond
	r := startRecorder(t, settings)
	r.run("cudaLaunchKernel func=gemm\nrepeat 10 { sleep 9ms; cudaLaunchKernel func=gemm }\n")
	ends := make(map[event.CycleEnd]int)
	for _, c := range r.cycles {
		ends[c.EndedBy]++
		assert.Less(t, c.End.Sub(c.Start), 60*time.Millisecond)
	}
	assert.GreaterOrEqual(t, ends[event.CycleEndTooLong], 2)
}
