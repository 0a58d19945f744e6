package timeline

import (
	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
)

// process is what is known of one traced process.
type process struct {
	id      event.ProcessID
	threads map[event.TID]*thread

	traced period
	before period     // before the latest exec, or of the previous user of the number
	lost   ktime.Time // latest end of a record of a thread for which there was no room
	seen   ktime.Time // latest sign of life
}

// period is the time in which a process was traced; zero is never.
type period struct {
	since ktime.Time
	until ktime.Time // exit or exec; 0 while it is traced
}

// coverage tells how much of [from, to) lies in the period.
func (p period) coverage(from, to ktime.Time) Coverage {
	if p == (period{}) || to <= p.since || p.until != 0 && from >= p.until {
		return NotTraced
	}
	if from < p.since || p.until != 0 && to > p.until {
		return PartlyTraced
	}
	return Traced
}

// restart begins a new period.
func (p *process) restart(since ktime.Time) {
	p.before, p.traced = p.traced, period{since: since}
}

// Coverage says whether the absence of an interval means anything.
type Coverage uint8

// Coverages. Traced: a thread was on a CPU wherever it has no off-CPU interval,
// but for intervals too short to be recorded.
const (
	NotTraced Coverage = iota
	PartlyTraced
	Traced
)

// Coverage tells what is known of thread over [from, to). Records that the
// Linux kernel side dropped are not known here.
func (t *Timeline) Coverage(thread event.Thread, from, to ktime.Time) Coverage {
	p := t.processes[thread.PID]
	if p == nil {
		return NotTraced
	}
	coverage := max(p.traced.coverage(from, to), p.before.coverage(from, to))
	forgotten := t.swept.Add(-t.settings.Retention)
	if th := p.threads[thread.TID]; th != nil {
		forgotten = th.history.forgotten
	}
	if coverage == Traced && from < max(forgotten, p.lost) {
		return PartlyTraced
	}
	return coverage
}

// Follow says that every off-CPU interval of a process has been recorded from
// at on, so that silence means that it was running. Of threads that were there
// before it holds from their adoption on.
func (t *Timeline) Follow(id event.ProcessID, at ktime.Time) {
	if p := t.process(id.PID, at); p != nil {
		t.begin(p, id.Start, at)
	}
}

// alive notes a record of p. One that follows p's end belongs to the next user
// of its number, whose adoption was not seen.
func (p *process) alive(start, end ktime.Time) {
	p.seen = max(p.seen, end)
	if p.traced.until != 0 && end > p.traced.until {
		p.id.Start = 0
		p.restart(start)
	}
}

// change applies a change of a process or thread.
func (t *Timeline) change(c *event.ProcessChange) {
	switch c.Kind {
	case event.ProcessAdopted:
		if p := t.process(c.Task.Thread.PID, c.At); p != nil {
			t.begin(p, c.Start, c.At)
		}
	case event.ProcessExecuted, event.ProcessExited:
		t.end(t.processes[c.Task.Thread.PID], c.At)
	case event.ThreadAdopted:
		t.adopt(c.Task.Thread, c.At)
	case event.ThreadExited:
		if p := t.processes[c.Task.Thread.PID]; p != nil {
			t.exit(p, p.threads[c.Task.Thread.TID], c.At)
		}
	}
}

// adopt notes that nothing is known of a thread before at.
func (t *Timeline) adopt(id event.Thread, at ktime.Time) {
	p := t.process(id.PID, at)
	if p == nil {
		return
	}
	if th := t.thread(p, id, at); th != nil {
		th.history.forgotten = max(th.history.forgotten, at)
		th.seen = max(th.seen, at)
	} else {
		p.lost = max(p.lost, at)
	}
}

// begin makes p the process that began at start, which is traced from at on.
func (t *Timeline) begin(p *process, start, at ktime.Time) {
	if p.traced.until != 0 || p.id.Start != 0 && start != 0 && start != p.id.Start {
		t.end(p, at)
		p.restart(at)
	}
	if start != 0 {
		p.id.Start = start
	}
	p.seen = max(p.seen, at)
}

// end says that no record of p comes any more.
func (t *Timeline) end(p *process, at ktime.Time) {
	if p == nil {
		return
	}
	for _, th := range p.threads {
		t.exit(p, th, at)
	}
	if p.traced.until == 0 {
		p.traced.until = at
	}
}

func (t *Timeline) exit(p *process, th *thread, at ktime.Time) {
	if th == nil {
		return
	}
	t.release(p, th, farFuture)
	th.exited = true
	th.cycles.dispatcher = false
	th.seen = max(th.seen, at)
}
