package gpucausereceiver

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
	"github.com/gpucause/gpucause/receiver/gpucausereceiver/internal/metadata"
)

// BenchmarkStall is the way of one slow call, with one off-CPU interval, from
// record to consumer.
func BenchmarkStall(b *testing.B) {
	config := testConfig()
	config.Spans.MaxPerSecond, config.Stalls.Mode = 1<<30, StallModeAll
	s := &fakeSource{}
	r := newReceiver(config, receivertest.NewNopSettings(metadata.Type), fakeMachine(b, s))
	r.traces = consumertest.NewNop()
	p, err := newPipeline(r, s)
	require.NoError(b, err)
	b.Cleanup(p.telemetry.Shutdown)
	records := slowCall(b, 1)
	b.ReportAllocs()
	for b.Loop() {
		later(records)
		for i := range records {
			p.add(&records[i])
		}
		p.emit(b.Context(), records[2].Call.End, records[2].Call.End.Add(time.Second))
	}
}

// later moves records on by 10 ms, to the thread's next call.
func later(records []event.Record) {
	const step = ktime.Time(10 * time.Millisecond)
	call, off := &records[2].Call, &records[1].OffCPU
	call.Start, call.End, call.ID = call.Start+step, call.End+step, call.ID+1
	off.Start, off.Wake, off.End, off.Call = off.Start+step, off.Wake+step, off.End+step, call.ID
}

// BenchmarkCycle is the way of one unremarkable dispatch cycle, with one wait,
// from record to verdict, and of a stall to the consumer.
func BenchmarkCycle(b *testing.B) {
	for name, ratio := range map[string]float64{"judged": 1000, "traced": 1} {
		b.Run(name, func(b *testing.B) {
			config := testConfig()
			config.Spans.MaxPerSecond, config.Stalls.Ratio, config.Stalls.BaselineInterval = 1<<30, ratio, 0
			s := &fakeSource{}
			r := newReceiver(config, receivertest.NewNopSettings(metadata.Type), fakeMachine(b, s))
			r.traces = consumertest.NewNop()
			p, err := newPipeline(r, s)
			require.NoError(b, err)
			b.Cleanup(p.telemetry.Shutdown)
			id, end, length := uint64(0), ktime.Time(time.Hour), 20*time.Millisecond
			b.ReportAllocs()
			for b.Loop() {
				id, length = id+1, length+time.Nanosecond // always slower than before
				end = end.Add(length)
				records := lockedCycle(id, end, length, 10*time.Millisecond)
				for i := range records {
					p.add(&records[i])
				}
				p.emit(b.Context(), end, end.Add(time.Second))
			}
		})
	}
}
