package scenario

import (
	"strconv"
	"strings"

	"github.com/gpucause/gpucause/internal/causality"
	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/probe"
)

func (s *Story) cycle(l *line) {
	c := event.Cycle{Task: s.task(l, l.word()), ID: l.id(l.word()), EndedBy: event.CycleEndSync}
	c.Start, c.End = l.times(l.word())
	length, repeat := c.End.Sub(c.Start), uint64(1)
	for l.more() {
		name, value, _ := strings.Cut(l.word(), "=")
		if name == "repeat" {
			repeat = l.number(value)
			continue
		}
		cycleDetail(l, &c, name, value)
	}
	c.Ledger[event.LedgerRunning] += length - c.Ledger.Total()
	if c.Ledger[event.LedgerRunning] < 0 {
		l.fail("the states take longer than the cycle")
	}
	for range repeat {
		s.arrives = append(s.arrives, arrival{at: c.End, record: event.Record{Kind: event.KindCycle, Cycle: c}})
		c.ID++
		c.Start, c.End = c.End, c.End.Add(length)
	}
}

func cycleDetail(l *line, c *event.Cycle, name, value string) {
	switch name {
	case "by":
		cycleEnd(l, c, value)
	case "launches":
		c.Launches = uint32(l.number(value))
	case "first_launches":
		c.FirstLaunches = uint32(l.number(value))
	case "interrupted":
		c.Interrupted = uint32(l.number(value))
	case "failed":
		c.Failed = uint32(l.number(value))
	case "copied":
		c.CopiedBytes = l.number(value)
	default:
		c.Ledger[ledgerState(l, name)] += l.duration(value)
	}
}

func cycleEnd(l *line, c *event.Cycle, value string) {
	switch value {
	case "max_cycle":
		c.EndedBy = event.CycleEndTooLong
	case "thread_exit":
		c.EndedBy = event.CycleEndThread
	default:
		row, found := probe.Find(value)
		if !found {
			l.fail("%s is not in the catalogue", value)
		}
		c.Probe = row.ID
	}
}

func ledgerState(l *line, name string) event.LedgerState {
	for state := range event.LedgerStates {
		if state.String() == name {
			return state
		}
	}
	l.fail("%q is not a state", name)
	return event.LedgerRunning
}

func (s *Story) judge(l *line) {
	for l.more() {
		name, value, _ := strings.Cut(l.word(), "=")
		switch name {
		case "min":
			s.Judge.MinDuration = l.duration(value)
		case "ratio":
			s.Judge.Ratio = l.float(value)
		case "window":
			s.Judge.Window = int(l.number(value))
		case "warm_up":
			s.Judge.WarmUp = int(l.number(value))
		case "baseline":
			s.Judge.Baseline = l.duration(value)
		case "all":
			s.Judge.Mode = causality.ModeAll
		default:
			l.fail("%q is not a setting", name)
		}
	}
}

func (l *line) float(word string) float64 {
	f, err := strconv.ParseFloat(word, 64)
	if err != nil {
		l.fail("reading number: %w", err)
	}
	return f
}
