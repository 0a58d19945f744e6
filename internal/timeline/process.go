package timeline

import (
	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
)

// process is what is known of one traced process.
type process struct {
	id      event.ProcessID
	threads map[event.TID]*thread

	since ktime.Time // traced from here
	until ktime.Time // and until here: exit or exec; 0 while it is traced
	lost  ktime.Time // latest end of a record of a thread for which there was no room
	seen  ktime.Time // latest sign of life
}

// traced tells whether the records of p's threads are complete over [from, to).
func (p *process) traced(from, to ktime.Time) Coverage {
	if to <= p.since || p.until != 0 && from >= p.until {
		return NotTraced
	}
	if from < max(p.since, p.lost) || p.until != 0 && to > p.until {
		return PartlyTraced
	}
	return Traced
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
	coverage := p.traced(from, to)
	forgotten := t.swept.Add(-t.settings.Retention)
	if th := p.threads[thread.TID]; th != nil {
		forgotten = th.history.forgotten
	}
	if coverage == Traced && from < forgotten {
		return PartlyTraced
	}
	return coverage
}

// Follow says that every off-CPU interval of a process has been recorded from
// at on, so that silence means that it was running.
func (t *Timeline) Follow(id event.ProcessID, at ktime.Time) {
	if p := t.process(id.PID, at); p != nil {
		t.begin(p, id.Start, at)
	}
}

// alive notes a record of p. One that follows p's end belongs to the next user
// of its number, whose adoption was not seen.
func (p *process) alive(start, end ktime.Time) {
	p.seen = max(p.seen, end)
	if p.until != 0 && end > p.until {
		p.id.Start, p.since, p.until = 0, start, 0
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
	case event.ThreadExited:
		if p := t.processes[c.Task.Thread.PID]; p != nil {
			t.exit(p, p.threads[c.Task.Thread.TID], c.At)
		}
	}
}

// begin makes p the process that began at start, which is traced from at on.
func (t *Timeline) begin(p *process, start, at ktime.Time) {
	if p.until != 0 || p.id.Start != 0 && start != 0 && start != p.id.Start {
		t.end(p, at)
		p.since, p.until = at, 0
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
	p.until = at
}

func (t *Timeline) exit(p *process, th *thread, at ktime.Time) {
	if th == nil {
		return
	}
	t.release(p, th, farFuture)
	th.exited = true
	th.seen = max(th.seen, at)
}
