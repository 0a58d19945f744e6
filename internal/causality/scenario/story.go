package scenario

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/gpucause/gpucause/internal/causality"
	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
)

// Story is a script, read.
type Story struct {
	Records  []event.Record // in the order in which they arrive
	Follows  []Follow
	Settings causality.Settings
	Judge    causality.JudgeSettings

	tasks   map[event.TID]event.Task
	started map[event.PID]ktime.Time
	symbols []string // symbol n is at firstSymbol+n
	arrives []arrival
	hidden  []event.OffCPU // intervals without records
}

// Follow is a process that is followed from At on.
type Follow struct {
	Process event.ProcessID
	At      ktime.Time
}

// arrival is a record with what orders it.
type arrival struct {
	at     ktime.Time
	record event.Record
}

const firstSymbol = 0xffffffff81000000

// Parse reads a story.
func Parse(script string) (*Story, error) {
	s := &Story{tasks: make(map[event.TID]event.Task), started: make(map[event.PID]ktime.Time), Judge: causality.JudgeSettings{Baseline: -1}}
	for n, text := range strings.Split(script, "\n") {
		text, _, _ = strings.Cut(text, "# ")
		l := line{words: strings.Fields(text)}
		if len(l.words) == 0 {
			continue
		}
		s.line(&l)
		if l.err != nil {
			return nil, fmt.Errorf("line %d: %w", n+1, l.err)
		}
	}
	s.Settings.Symbol = s.Symbol
	s.Judge.Explain = s.Settings
	s.total()
	s.order()
	return s, nil
}

// Symbol returns the name of an address in the story's stacks.
func (s *Story) Symbol(address uint64) string {
	if n := address - firstSymbol; n < uint64(len(s.symbols)) {
		return s.symbols[n]
	}
	return ""
}

func (s *Story) line(l *line) {
	switch verb := l.word(); verb {
	case "thread":
		s.thread(l)
	case "process":
		s.process(l)
	case "follow":
		pid := l.pid(l.word())
		s.Follows = append(s.Follows, Follow{Process: event.ProcessID{PID: pid}, At: l.time(l.named("at"))})
	case "call":
		s.call(l)
	case "offcpu":
		s.offCPU(l)
	case "cycle":
		s.cycle(l)
	case "communicator":
		s.communicator(l)
	case "collective":
		s.collective(l)
	case "complete":
		s.complete(l)
	case "exit":
		s.exit(l)
	case "limit":
		s.Settings.MaxDepth = int(l.number(l.named("depth")))
		s.Settings.MaxIntervals = int(l.number(l.named("intervals")))
	case "judge":
		s.judge(l)
	default:
		l.fail("%q is not a verb", verb)
	}
}

func (s *Story) thread(l *line) {
	pid, tid, found := strings.Cut(l.word(), "/")
	if !found {
		l.fail("a thread is PID/TID")
	}
	thread := event.Thread{PID: l.pid(pid), TID: l.tid(tid)}
	s.tasks[thread.TID] = event.Task{Thread: thread, Comm: event.MakeComm(l.word())}
}

func (s *Story) task(l *line, word string) event.Task {
	task, found := s.tasks[l.tid(word)]
	if !found {
		l.fail("thread %s is not declared", word)
	}
	return task
}

func (s *Story) process(l *line) {
	pid := l.pid(l.word())
	change := event.ProcessChange{
		Task: event.Task{Thread: event.Thread{PID: pid, TID: event.TID(pid)}},
		Kind: event.ProcessAdopted, At: Epoch, Start: l.time(l.named("start")),
	}
	s.started[pid] = change.Start
	s.change(change)
}

func (s *Story) exit(l *line) {
	word := l.word()
	change := event.ProcessChange{Kind: event.ThreadExited}
	if word == "process" {
		pid := l.pid(l.word())
		change.Kind = event.ProcessExited
		change.Task.Thread = event.Thread{PID: pid, TID: event.TID(pid)}
	} else {
		change.Task = s.task(l, word)
	}
	change.At = l.time(l.named("at"))
	s.change(change)
}

func (s *Story) change(change event.ProcessChange) {
	s.arrives = append(s.arrives, arrival{at: change.At, record: event.Record{Kind: event.KindProcess, Process: change}})
}

// total sums the off-CPU time inside every call, as the Linux kernel side does.
func (s *Story) total() {
	offCPU := slices.Clone(s.hidden)
	for n := range s.arrives {
		if s.arrives[n].record.Kind == event.KindOffCPU {
			offCPU = append(offCPU, s.arrives[n].record.OffCPU)
		}
	}
	for n := range s.arrives {
		if s.arrives[n].record.Kind == event.KindCall {
			sum(&s.arrives[n].record.Call, offCPU)
		}
	}
}

func sum(call *event.Call, offCPU []event.OffCPU) {
	for _, o := range offCPU {
		if o.Task.Thread != call.Task.Thread || o.Start < call.Start || o.End > call.End || o.Reason == event.ReasonYield {
			continue
		}
		call.Switches++
		call.Blocked += o.Wake.Sub(o.Start)
		call.Runnable += o.End.Sub(o.Wake)
	}
}

// order sorts the records as they arrive: at their ends, the inner before the outer.
func (s *Story) order() {
	slices.SortStableFunc(s.arrives, func(a, b arrival) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(rank(&a.record), rank(&b.record)),
			cmp.Compare(b.record.Call.ID, a.record.Call.ID))
	})
	count := newCounter()
	for _, a := range s.arrives {
		switch a.record.Kind {
		case event.KindCommunicator:
			a.record.Communicator.Process = s.processOf(a.record.Communicator.Task)
		case event.KindCollective:
			count.collective(&a.record.Collective)
		case event.KindCompletion:
			count.completion(&a.record.Completion)
		}
		s.Records = append(s.Records, a.record)
	}
}

func (s *Story) processOf(task event.Task) event.ProcessID {
	return event.ProcessID{PID: task.Thread.PID, Start: s.started[task.Thread.PID]}
}

func rank(r *event.Record) int {
	switch {
	case r.Kind == event.KindProcess && r.Process.Kind == event.ProcessAdopted:
		return 0
	case r.Kind == event.KindCommunicator:
		return 1
	case r.Kind == event.KindOffCPU:
		return 2
	case r.Kind == event.KindCall:
		return 3
	case r.Kind == event.KindCollective, r.Kind == event.KindCompletion:
		return 4
	case r.Kind == event.KindCycle:
		return 5
	default:
		return 6
	}
}
