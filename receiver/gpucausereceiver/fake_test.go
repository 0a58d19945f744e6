package gpucausereceiver

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.uber.org/zap"

	"github.com/gpucause/gpucause/internal/capture"
	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
	"github.com/gpucause/gpucause/internal/probe"
	"github.com/gpucause/gpucause/internal/threadcontext"
)

const wallOffset = ktime.Offset(1_700_000_000 * time.Second)

var errBroken = errors.New("broken")

// fakeSource hands out what tests put in.
type fakeSource struct {
	mu        sync.Mutex
	records   []event.Record
	snapshots []*event.Snapshot
	followed  []event.PID
	report    capture.Report
	drainErr  error
	followErr error
	places    []threadcontext.Place
	placeErr  error
	panics    bool
	closed    int
}

func (s *fakeSource) put(records ...event.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records = append(s.records, records...)
}

func (s *fakeSource) count(snapshot *event.Snapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.snapshots = append(s.snapshots, snapshot)
}

func (s *fakeSource) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drainErr = err
}

func (s *fakeSource) closings() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

func (s *fakeSource) follows() []event.PID {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]event.PID(nil), s.followed...)
}

func (s *fakeSource) Drain(handle func(*event.Record)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.panics {
		panic("a defect")
	}
	for i := range s.records {
		handle(&s.records[i])
	}
	s.records = nil
	return s.drainErr
}

func (s *fakeSource) Snapshot() (*event.Snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.snapshots) == 0 {
		return &event.Snapshot{At: fakeNow()}, nil
	}
	next := s.snapshots[0]
	s.snapshots = s.snapshots[1:]
	return next, nil
}

func (s *fakeSource) Follow(pid event.PID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.followed = append(s.followed, pid)
	return s.followErr
}

func (*fakeSource) Program(event.PID) (capture.Program, error) { return capture.Program{}, nil }

func (s *fakeSource) PlaceThreadContext(_ capture.Program, place threadcontext.Place) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.places = append(s.places, place)
	return s.placeErr
}

func (s *fakeSource) Report() capture.Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.report
}

func (s *fakeSource) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed++
	return nil
}

// fakeNow is the Linux kernel's clock: that of the test's bubble.
func fakeNow() ktime.Time { return ktime.Time(time.Now().UnixNano()) }

// fakeMachine opens s; no traced process is in its /proc.
func fakeMachine(t testing.TB, s source) machine {
	return machine{
		open: func(context.Context, capture.Settings, *zap.Logger) (source, error) { return s, nil },
		now:  func() (ktime.Time, error) { return fakeNow(), nil },
		offset: func() (ktime.Offset, error) {
			return wallOffset, nil
		},
		procPath: t.TempDir(),
	}
}

// brokenMachine cannot trace.
func brokenMachine(t testing.TB, opened *int) machine {
	m := fakeMachine(t, nil)
	m.open = func(context.Context, capture.Settings, *zap.Logger) (source, error) {
		*opened++
		return nil, errBroken
	}
	return m
}

// statusHost keeps the component status that it is told.
type statusHost struct {
	mu     sync.Mutex
	events []*componentstatus.Event
}

func (*statusHost) GetExtensions() map[component.ID]component.Component { return nil }

func (h *statusHost) Report(reported *componentstatus.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, reported)
}

func (h *statusHost) statuses() []componentstatus.Status {
	h.mu.Lock()
	defer h.mu.Unlock()
	var statuses []componentstatus.Status
	for _, reported := range h.events {
		statuses = append(statuses, reported.Status())
	}
	return statuses
}

var (
	engineProcess = event.ProcessID{PID: 100, Start: 1}
	engineTask    = event.Task{Thread: event.Thread{PID: 100, TID: 100}, Comm: event.MakeComm("python3")}
	wakerTask     = event.Task{Thread: event.Thread{PID: 200, TID: 200}, Comm: event.MakeComm("loader")}
)

func probeOf(t testing.TB, symbol string) probe.ID {
	t.Helper()
	row, ok := probe.Find(symbol)
	require.True(t, ok, symbol)
	return row.ID
}

// slowCall is a cudaMalloc that just ended, blocked for 3 of its 5 ms until
// wakerTask woke it.
func slowCall(t testing.TB, id uint64) []event.Record {
	t.Helper()
	end := fakeNow()
	ago := func(d time.Duration) ktime.Time { return end.Add(-d) }
	return []event.Record{
		{Kind: event.KindProcess, Process: event.ProcessChange{Task: engineTask, Kind: event.ProcessAdopted, At: ago(time.Minute), Start: 1}},
		{Kind: event.KindOffCPU, OffCPU: event.OffCPU{
			Task: engineTask, Call: id, Start: ago(4 * time.Millisecond), Wake: ago(time.Millisecond), End: ago(time.Millisecond),
			Reason: event.ReasonFutex, Waker: wakerTask, WakerContext: event.WakerTask,
		}},
		{Kind: event.KindCall, Call: event.Call{
			Task: engineTask, ID: id, Probe: probeOf(t, "cudaMalloc"), Notable: event.NotableSlow,
			Start: ago(5 * time.Millisecond), End: end, Blocked: 3 * time.Millisecond, Switches: 1,
		}},
	}
}

func exited() event.Record {
	return event.Record{Kind: event.KindProcess, Process: event.ProcessChange{
		Task: engineTask, Kind: event.ProcessExited, At: fakeNow(), Start: 1,
	}}
}

// oneCall is a snapshot with one counted call.
func oneCall(t *testing.T) *event.Snapshot {
	t.Helper()
	sample := event.CallSample{Process: engineProcess, Task: engineTask, Probe: probeOf(t, "cudaMalloc"), Since: fakeNow()}
	sample.Durations.Sum = 5 * time.Millisecond
	sample.Durations.Buckets[100] = 1
	return &event.Snapshot{At: fakeNow(), Calls: []event.CallSample{sample}}
}

func failingWith(err error) func(context.Context, capture.Settings, *zap.Logger) (source, error) {
	return func(context.Context, capture.Settings, *zap.Logger) (source, error) { return nil, err }
}

func noOffset() (ktime.Offset, error) { return 0, errBroken }
