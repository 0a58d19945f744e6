package core

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/group"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/join"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/neighbour"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/process"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/request"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/scan"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/spans"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/stall"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/window"
)

// forgetProcesses is how long a traced process that is not heard of is known. It
// is several times as long as the receiver's default time between two baselines
// of a thread.
const (
	forgetProcesses = 10 * time.Minute
	expireEvery     = 10 * time.Second
)

// Settings say what is kept and shown.
type Settings struct {
	Kinds        []string // stall.kind of what counts as a stall
	MaxProcesses int
	Stalls       stall.Settings
	Join         join.Settings
	MaxLinks     uint32 // requests that one stall's trace is linked to
	Neighbours   neighbour.Settings
	Named        int     // neighbours that are named
	PerSecond    float64 // children and summaries
	Version      string  // of the scope
}

// Core is what is known.
type Core struct {
	settings   Settings
	kinds      map[string]bool
	processes  *process.Table
	stalls     *stall.Store
	neighbours *neighbour.Store
	selector   *join.Selector
	budget     budget
	expireAt   window.Time
	otherKinds uint64
	// unidentified are stalls of resources that do not say which process they are of.
	unidentified uint64
}

// New returns a Core that knows nothing.
func New(settings Settings) *Core {
	c := &Core{
		settings:   settings,
		kinds:      make(map[string]bool),
		processes:  process.NewTable(settings.MaxProcesses),
		stalls:     stall.NewStore(settings.Stalls),
		neighbours: neighbour.NewStore(settings.Neighbours),
		selector:   join.NewSelector(settings.Join),
		budget:     newBudget(settings.PerSecond),
	}
	for _, kind := range settings.Kinds {
		c.kinds[kind] = true
	}
	return c
}

// Learn takes in what the receiver reports.
func (c *Core) Learn(reports []scan.Report, now window.Time) {
	for i := range reports {
		id, ok := c.processes.See(reports[i].Resource, now)
		if !ok {
			c.unidentified += uint64(len(reports[i].Stalls))
			continue
		}
		for j := range reports[i].Stalls {
			c.learn(id, &reports[i].Stalls[j], now)
		}
	}
	if now >= c.expireAt {
		c.processes.Expire(now.Add(-max(forgetProcesses, c.settings.Stalls.Retention)))
		c.expireAt = now.Add(expireEvery)
	}
}

func (c *Core) learn(of process.ID, s *stall.Stall, now window.Time) {
	if !c.kinds[s.Kind] {
		c.otherKinds++
		return
	}
	c.stalls.Add(of, s, now)
}

// Advance forgets what is too old.
func (c *Core) Advance(now window.Time) {
	c.stalls.Advance(now)
	c.neighbours.Advance(now)
}

// Remember notes a request of an engine, so that it can be named as a neighbour.
func (c *Core) Remember(r *request.Request, d *group.Decision, now window.Time) {
	if d.Outcome == group.Resolved && d.Key() != 0 && oneEngine(d) {
		c.neighbours.Add(d.Key(), r, now)
	}
}

// Traced returns all traced processes, and a number that changes with them.
func (c *Core) Traced() ([]*process.Traced, uint64) { return c.processes.All(), c.processes.Changes() }

// Changes is another number whenever a traced process has come or gone.
func (c *Core) Changes() uint64 { return c.processes.Changes() }

// Knows reports whether stalls of a thread are known.
func (c *Core) Knows(of process.ID, tid int64) bool {
	return c.stalls.Has(stall.Thread{Process: of, TID: tid})
}

// Begin returns what children are appended to traces by.
func (c *Core) Begin(traces ptrace.Traces) *spans.Payload {
	return spans.On(traces, spans.Settings{
		Version: c.settings.Version, Neighbours: c.settings.Named,
		Resource: func(id process.ID) (pcommon.Map, bool) {
			if t := c.processes.Get(id); t != nil {
				return t.Resource, true
			}
			return pcommon.Map{}, false
		},
	})
}
