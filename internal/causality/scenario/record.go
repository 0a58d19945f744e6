package scenario

import (
	"strings"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/probe"
)

var flags = map[string]event.Notable{
	"slow":         event.NotableSlow,
	"interrupted":  event.NotableInterrupted,
	"failed":       event.NotableFailed,
	"first_launch": event.NotableFirstLaunch,
	"sampled":      event.NotableSampled,
	"child":        event.NotableChild,
	"abandoned":    event.NotableAbandoned,
}

func (s *Story) call(l *line) {
	call := event.Call{Task: s.task(l, l.word()), ID: l.id(l.word())}
	symbol := l.word()
	row, found := probe.Find(symbol)
	if !found {
		l.fail("%s is not in the catalogue", symbol)
	}
	call.Probe = row.ID
	call.Start, call.End = l.times(l.word())
	dropped := false
	for l.more() {
		switch word := l.word(); word {
		case "in":
			call.Parent = l.id(l.word())
		case "dropped":
			dropped = true
		default:
			callDetail(l, &call, &row, word)
		}
	}
	if !dropped {
		s.arrives = append(s.arrives, arrival{at: call.End, record: event.Record{Kind: event.KindCall, Call: call}})
	}
}

func callDetail(l *line, call *event.Call, row *probe.Probe, word string) {
	if flag, found := flags[word]; found {
		call.Notable |= flag
		return
	}
	name, value, found := strings.Cut(word, "=")
	if !found {
		l.fail("%q is not a flag", word)
		return
	}
	if name == "result" {
		call.Result = int32(l.number(value))
		return
	}
	for _, arg := range row.Args {
		if arg.Key == "cuda."+name {
			call.Args[arg.Slot] |= l.number(value) << arg.Shift
			return
		}
	}
	if name == "function" && int(row.FunctionSlot) < len(call.Args) {
		call.Args[row.FunctionSlot] = l.number(value)
		return
	}
	l.fail("%s has no argument %s", row.Symbol, name)
}

func (s *Story) offCPU(l *line) {
	o := event.OffCPU{Task: s.task(l, l.word()), Syscall: event.NoSyscall}
	o.Start, o.End = l.times(l.word())
	o.Reason = l.reason(l.word())
	o.Wake, o.Preempted = o.End, o.Reason == event.ReasonPreempted
	o.Throttled = o.Reason == event.ReasonThrottled
	if o.Reason.Runnable() {
		o.Wake = o.Start
	}
	recorded := true
	for l.more() {
		if word := l.word(); word == "unrecorded" {
			recorded = false
		} else {
			s.offCPUDetail(l, &o, word)
		}
	}
	if !recorded {
		s.hidden = append(s.hidden, o)
		return
	}
	s.arrives = append(s.arrives, arrival{at: o.End, record: event.Record{Kind: event.KindOffCPU, OffCPU: o}})
}

func (s *Story) offCPUDetail(l *line, o *event.OffCPU, word string) {
	name, value, _ := strings.Cut(word, "=")
	switch name {
	case "in":
		o.Call = l.id(l.word())
	case "by":
		s.waker(l, o)
	case "wake":
		o.Wake = l.time(value)
	case "had":
		o.Preemptor = s.task(l, value)
	case "syscall":
		o.Syscall = int32(l.number(value))
	case "throttled":
		o.Throttled = true
	case "stack":
		s.stack(o, strings.Split(value, ","))
	default:
		l.fail("%q is not a detail", word)
	}
}

func (s *Story) waker(l *line, o *event.OffCPU) {
	switch word := l.word(); word {
	case "softirq":
		o.WakerContext = event.WakerSoftIRQ
	case "hardirq":
		o.WakerContext = event.WakerHardIRQ
	case "interrupt":
		o.WakerContext = event.WakerInterrupt
	default:
		o.Waker, o.WakerContext = s.task(l, word), event.WakerTask
	}
}

func (s *Story) stack(o *event.OffCPU, symbols []string) {
	for n, symbol := range symbols {
		o.Stack[n] = firstSymbol + uint64(len(s.symbols))
		s.symbols = append(s.symbols, symbol)
	}
}
