package scenario

import (
	"fmt"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/engine"
	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/pairing"
	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/verdict"
)

// Epoch is when stories begin, by the connector's clock: 2026-01-01.
var Epoch = time.Unix(1767225600, 0).UTC()

// Step is one thing that happens.
type Step struct {
	At     time.Time // rises
	Traces ptrace.Traces
	Expire bool // no spans arrive, time passes
	Close  bool
}

// Story is a script, read.
type Story struct {
	Settings engine.Settings
	Steps    []Step

	hosts  map[string]time.Duration // what its clock reads too much
	now    time.Time
	joint  joint
	action time.Duration // at of the collective, since Epoch
}

// Parse reads a story.
func Parse(script string) (*Story, error) {
	s := &Story{
		Settings: engine.Settings{
			Pairing: pairing.Settings{TTL: 30 * time.Second, MaxCollectives: 1000, MaxReports: 10000, MaxRanks: 2048},
			Judging: verdict.Settings{MinLag: time.Millisecond, TTL: 30 * time.Second, ClockWindow: time.Minute},
		},
		hosts: make(map[string]time.Duration),
		now:   Epoch,
	}
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
	return s, nil
}

func (s *Story) line(l *line) {
	switch verb := l.word(); verb {
	case "settings":
		s.settings(l)
	case "host":
		s.host(l)
	case "set":
		s.host(l)
	case "collective":
		s.collective(l)
	case "pair":
		s.pair(l)
	case "rank":
		s.ranks(l)
	case "later":
		s.now = s.now.Add(l.duration(l.word()))
		s.Steps = append(s.Steps, Step{At: s.now, Expire: true})
	case "close":
		s.Steps = append(s.Steps, Step{At: s.now, Close: true})
	default:
		l.fail("%q is not a verb", verb)
	}
}

func (s *Story) settings(l *line) {
	for l.more() {
		switch name, value := l.option(); name {
		case "ttl":
			s.Settings.Pairing.TTL = l.duration(value)
			s.Settings.Judging.TTL = s.Settings.Pairing.TTL
		case "min_lag":
			s.Settings.Judging.MinLag = l.duration(value)
		case "clock_window":
			s.Settings.Judging.ClockWindow = l.duration(value)
		case "max_collectives":
			s.Settings.Pairing.MaxCollectives = int(l.number(value))
		case "max_spans":
			s.Settings.Pairing.MaxReports = int(l.number(value))
		default:
			l.fail("%q is not a setting", name)
		}
	}
}

func (s *Story) host(l *line) {
	name := l.word()
	s.hosts[name] = 0
	for l.more() {
		option, value := l.option()
		if option != "clock" {
			l.fail("%q is not an option of a host", option)
		}
		s.hosts[name] = l.duration(value)
	}
}

// Run tells the story to an engine, and every verdict to tell. The story may be run
// again.
func (s *Story) Run(tell func(*verdict.Verdict)) *engine.Engine {
	e := engine.New(s.Settings, tell)
	for _, step := range s.Steps {
		switch {
		case step.Close:
			e.Close(step.At)
		case step.Expire:
			e.Expire(step.At)
		default:
			e.Consume(step.At, step.Traces)
		}
	}
	return e
}
