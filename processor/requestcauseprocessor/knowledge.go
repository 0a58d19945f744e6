package requestcauseprocessor

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
	"go.uber.org/zap"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/core"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/group"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/join"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/locate"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/metadata"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/neighbour"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/process"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/scan"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/stall"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/window"
)

// maxLooked bounds the stalls that are looked at for one request.
const maxLooked = 5_000

// knowledge is what an instance knows, and how it learns. It may be used from
// several goroutines.
type knowledge struct {
	logger  *zap.Logger
	report  *report
	scanner *scan.Scanner
	locator *locate.Locator
	news    chan struct{} // has a value after a traced process has come or gone
	joins   bool          // what stalls there are is of use

	mu   sync.Mutex
	core *core.Core
}

// newKnowledge returns an instance that knows nothing, and reports on what h holds.
func newKnowledge(config *Config, set processor.Settings, m machine, h *hold) (*knowledge, error) {
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	k := &knowledge{
		logger:  set.Logger,
		report:  newReport(telemetry, h),
		scanner: config.Requests.scanner(),
		news:    make(chan struct{}, 1),
		joins:   config.Mode == ModeJoin,
		core:    core.New(config.coreSettings(set.BuildInfo.Version)),
	}
	k.locator = locate.New(locate.Settings{
		HostID: m.hostID, HostName: m.hostName, Evidence: config.Groups.Evidence, Now: now,
	}, m.procs, k)
	return k, k.report.register(k)
}

// coreSettings translates c, which must be valid.
func (c *Config) coreSettings(version string) core.Settings {
	return core.Settings{
		Kinds:        c.Stalls.Kinds,
		MaxProcesses: int(c.Groups.MaxProcesses),
		Stalls: stall.Settings{
			Retention: c.Stalls.Retention, MaxBytes: c.Stalls.MaxBytes, MaxThreads: int(c.Stalls.MaxThreads),
		},
		Join:     join.Settings{Top: int(c.Spans.Top), MinOverlap: c.Stalls.MinOverlap, MaxLooked: maxLooked},
		MaxLinks: c.Spans.MaxRequestsPerStall,
		Neighbours: neighbour.Settings{
			Retention: c.Stalls.Retention, MaxRequests: int(c.Neighbours.MaxRequests),
			MostFound: int(c.Neighbours.Show) + 1, // the request itself may be one
		},
		Named:     int(c.Neighbours.Show),
		PerSecond: float64(c.Spans.MaxPerSecond),
		Version:   version,
	}
}

// learn takes in what a payload has, and returns it.
func (k *knowledge) learn(ctx context.Context, traces ptrace.Traces) scan.Found {
	found := k.scanner.Scan(traces, peerOf(client.FromContext(ctx).Addr))
	if len(found.Reports) > 0 {
		k.learnReports(found.Reports)
	}
	for _, s := range found.Startups {
		k.locator.NoteStartup(s.Trace, found.Senders[s.Sender].Sender)
	}
	found.Reports, found.Startups = nil, nil
	k.report.scanned(ctx, &found)
	return found
}

// learnReports takes in what the receiver reports: the processes, and the stalls
// where these are joined. Of a process that was not known before there is news.
func (k *knowledge) learnReports(reports []scan.Report) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.joins {
		for i := range reports {
			reports[i].Stalls = nil
		}
	}
	before := k.core.Changes()
	k.core.Learn(reports, now())
	if k.core.Changes() == before {
		return
	}
	select {
	case k.news <- struct{}{}:
	default:
	}
}

// locate returns which traced processes serve a request, as far as the meeting with
// its sender has told.
func (k *knowledge) locate(found *scan.Found, r *scan.Request, m *locate.Meeting) group.Decision {
	sender := &found.Senders[r.Sender].Sender
	if r.Thread.TID != 0 {
		return k.locator.LocateThread(sender, m, r.Thread.HostID, r.Thread.TID)
	}
	return k.locator.Locate(sender, m)
}

// guard keeps a defect from taking the Collector with it: a payload is passed on
// with what it has.
func (k *knowledge) guard(do func()) {
	defer func() {
		if defect := recover(); defect != nil {
			k.report.panicked(context.Background())
			k.logger.Error("A defect of this component was caught", zap.String("defect", fmt.Sprint(defect)), zap.Stack("stack"))
		}
	}()
	do()
}

// Traced implements [locate.Known].
func (k *knowledge) Traced() ([]*process.Traced, uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.core.Traced()
}

// Changes implements [locate.Known].
func (k *knowledge) Changes() uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.core.Changes()
}

// Knows implements [locate.Known].
func (k *knowledge) Knows(of process.ID, tid int64) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.core.Knows(of, tid)
}

func (k *knowledge) stats() core.Stats {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.core.Stats()
}

func (k *knowledge) located() locate.Stats { return k.locator.Stats() }

func now() window.Time { return window.At(time.Now()) }
