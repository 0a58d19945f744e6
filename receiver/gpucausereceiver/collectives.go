package gpucausereceiver

import (
	"context"
	"time"

	"github.com/gpucause/gpucause/internal/causality"
	"github.com/gpucause/gpucause/internal/collective"
	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
	"github.com/gpucause/gpucause/receiver/gpucausereceiver/internal/measurement"
	"github.com/gpucause/gpucause/receiver/gpucausereceiver/internal/spans"
)

// collectives is what follows the operations of NCCL.
type collectives struct {
	tracker  *collective.Tracker
	arrivals *causality.Arrivals
	reading  *reading
}

func newCollectives(config NCCLConfig, hostID string, read func(commQuestion) (collective.Read, error)) *collectives {
	sampleEvery := int(config.SampleEvery)
	if sampleEvery == 0 {
		sampleEvery = -1
	}
	return &collectives{
		tracker: collective.New(collective.Settings{
			HostID:           hostID,
			SampleEvery:      sampleEvery,
			Slow:             config.SlowThreshold,
			Timeout:          config.Timeout,
			MaxCommunicators: int(config.MaxCommunicators),
		}),
		reading: newReading(read),
	}
}

// add takes in a record.
func (c *collectives) add(record *event.Record) {
	if fresh := c.tracker.Add(record); fresh != nil {
		c.reading.add(fresh)
	}
}

// tellCollectives tells the operations whose time has come. It comes before the
// cycles, whose stalls name the ranks that they waited for. It returns the batch to
// go on with.
func (p *pipeline) tellCollectives(ctx context.Context, batch *spans.Batch, now, settled ktime.Time) *spans.Batch {
	c := p.collectives
	c.reading.collect(c.tracker, now)
	c.tracker.Advance(settled, collective.Handler{
		Arrived: func(o *collective.Operation) {
			if reason, late := c.arrivals.Explain(p.timeline, o); late {
				o.Late = reason
			}
		},
		Told: func(o *collective.Operation) {
			p.aggregator.AddCollective(measured(o))
			p.emitCollective(ctx, batch, o, now)
			batch = p.handOverFull(ctx, batch)
		},
		Again: func(o *collective.Operation) {
			m := measured(o)
			m.Size = 0 // counted before
			p.aggregator.AddCollective(m)
			p.emitCollective(ctx, batch, o, now)
			batch = p.handOverFull(ctx, batch)
		},
	})
	return batch
}

func (p *pipeline) emitCollective(ctx context.Context, batch *spans.Batch, o *collective.Operation, now ktime.Time) {
	if p.sink.traces == nil || !p.collectives.tracker.Worth(o) {
		return
	}
	pid := o.Communicator.Process.PID
	// A sampled one is emitted on all ranks or of no use.
	allowed, spend := p.budgets.allows(pid, now), p.budgets.spend
	if o.Sampled {
		allowed, spend = p.budgets.emits(), p.budgets.spendAnyway
	}
	if !allowed {
		p.telemetry.GpucauseCollectivesSuppressed.Add(ctx, 1)
		return
	}
	before := batch.SpanCount()
	batch.AppendCollective(o)
	spend(pid, batch.SpanCount()-before)
	p.telemetry.GpucauseCollectivesEmitted.Add(ctx, 1)
}

func measured(o *collective.Operation) *measurement.Collective {
	m := &measurement.Collective{
		Process:   o.Communicator.Process,
		Operation: o.Name(),
		Rank:      o.Communicator.Rank,
		Duration:  o.Duration(),
		Completed: o.Completed != 0,
		Wait:      o.Wait.Duration(),
		Waited:    o.Wait != (collective.Wait{}),
		Size:      o.Size(),
	}
	if o.Communicator.Key.Known() {
		m.Communicator = o.Communicator.Key.String()
	}
	return m
}

// commQuestion asks for a communicator, and tells what is known of it.
type commQuestion struct {
	of         *collective.Communicator // who asks: its answer is for no other
	pid        event.PID
	serial     event.Serial
	handle     uint64
	rank, size int
	identity   []byte
}

// teaches tells whether the answer says where the library keeps rank and size.
func (q *commQuestion) teaches() bool {
	return q.rank != collective.Unknown && q.size != collective.Unknown
}

const (
	// readFirst is how long after it is heard of a communicator is read for the
	// first time; each time after that it takes twice as long.
	readFirst = 100 * time.Millisecond
	// readTimes is how often it is read at most.
	readTimes = 10
	// maxReading bounds the communicators that are to be read.
	maxReading = 1024
)

// reading reads communicators in the memory of their processes: those whose rank
// is known to learn where it is, and the others to learn it.
type reading struct {
	asker   *asker[commQuestion, collective.Read]
	due     map[*collective.Communicator]*attempt
	refused uint64 // for which there was no room
}

type attempt struct {
	at    ktime.Time // 0: as soon as there is a time
	pause time.Duration
	times int
}

func newReading(read func(commQuestion) (collective.Read, error)) *reading {
	return &reading{asker: newAsker(read), due: make(map[*collective.Communicator]*attempt)}
}

func (r *reading) add(c *collective.Communicator) {
	switch {
	case r.asker.answer == nil:
	case len(r.due) >= maxReading:
		r.refused++
	default:
		r.due[c] = &attempt{pause: readFirst}
	}
}

// collect takes in what was read, and reads what is due.
func (r *reading) collect(tracker *collective.Tracker, now ktime.Time) {
	r.asker.answers(func(q commQuestion, read collective.Read) {
		tracker.Resolve(q.pid, q.serial, read)
		if q.of.Complete() {
			delete(r.due, q.of)
		}
		if q.teaches() {
			r.hasten(q.pid, now)
		}
	})
	for c, a := range r.due {
		if !tracker.Follows(c) {
			delete(r.due, c) // something else may be in its memory by now
			continue
		}
		if a.at == 0 {
			a.at = now.Add(a.pause)
		}
		if now >= a.at && r.asker.ask(question(c)) {
			r.postpone(c, a, now)
		}
	}
}

// hasten has those of a process's communicators read now of which not all is
// known: since one that taught was read, it is known where to look.
func (r *reading) hasten(pid event.PID, now ktime.Time) {
	for c, a := range r.due {
		if c.Process.PID == pid && !c.Complete() {
			a.at = now
		}
	}
}

// postpone has a communicator read again, later and later, until there is an answer
// and all is known: one of which all was known before may not be filled in yet, and
// would teach nothing.
func (r *reading) postpone(c *collective.Communicator, a *attempt, now ktime.Time) {
	a.times++
	a.pause *= 2
	a.at = now.Add(a.pause)
	if a.times >= readTimes {
		delete(r.due, c)
	}
}

func question(c *collective.Communicator) commQuestion {
	q := commQuestion{of: c, pid: c.Process.PID, serial: c.Serial, handle: c.Handle, rank: c.Rank, size: c.Size}
	if id, ok := c.Identity(); ok {
		q.identity = id[:]
	}
	return q
}
