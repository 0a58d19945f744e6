package requestcauseprocessor

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/group"
)

// Bounds of what a user may ask for.
const (
	maxWait      = 30 * time.Second
	minHold      = 64 << 10
	minRetention = time.Second
	maxRetention = time.Hour
	minStalls    = 64 << 10
	maxBytes     = 16 << 30
	maxLimit     = 1 << 20
	maxTop       = 1000
	maxShown     = 100
)

// Validate reports every key whose value cannot work, with what to write instead.
func (c *Config) Validate() error {
	return errors.Join(
		c.Mode.validate(),
		between("wait", c.Wait, 0, maxWait),
		bytesBetween("hold::max_bytes", c.Hold.MaxBytes, minHold),
		c.Requests.validate(),
		c.Stalls.validate(),
		c.Groups.validate(),
		atMost("neighbours::show", c.Neighbours.Show, maxShown),
		limit("neighbours::max_requests", c.Neighbours.MaxRequests),
		atMost("spans::top", c.Spans.Top, maxTop),
		limit("spans::max_per_second", c.Spans.MaxPerSecond),
		atMost("spans::max_requests_per_stall", c.Spans.MaxRequestsPerStall, maxLimit),
	)
}

func (m Mode) validate() error {
	switch m {
	case ModeJoin, ModeResolve:
		return nil
	default:
		return fmt.Errorf("mode is %q: use join or resolve", string(m))
	}
}

func (s *StallsConfig) validate() error {
	var empty error
	if len(s.Kinds) == 0 {
		empty = errors.New("stalls::kinds is empty: use values of stall.kind, such as [stall, failed]")
	}
	return errors.Join(
		empty,
		between("stalls::retention", s.Retention, minRetention, maxRetention),
		bytesBetween("stalls::max_bytes", s.MaxBytes, minStalls),
		limit("stalls::max_threads", s.MaxThreads),
		between("stalls::min_overlap", s.MinOverlap, time.Nanosecond, maxRetention),
	)
}

func (g *GroupsConfig) validate() error {
	err := limit("groups::max_processes", g.MaxProcesses)
	if len(g.Evidence) == 0 {
		return errors.Join(err, errors.New("groups::evidence is empty: use some of "+allEvidence()))
	}
	for _, evidence := range g.Evidence {
		if !slices.Contains(group.AllEvidence(), evidence) {
			err = errors.Join(err, fmt.Errorf("groups::evidence has %q: use some of %s", string(evidence), allEvidence()))
		}
	}
	return err
}

func allEvidence() string {
	var names []string
	for _, evidence := range group.AllEvidence() {
		names = append(names, string(evidence))
	}
	return strings.Join(names, ", ")
}

func (c *RequestsConfig) validate() error {
	if !c.Defaults && len(c.Rules) == 0 {
		return errors.New("requests has no rules: add requests::rules, or set requests::defaults to true")
	}
	var err error
	names := make(map[string]bool)
	for i := range c.Rules {
		rule := &c.Rules[i]
		err = errors.Join(err, rule.validate(i))
		if names[rule.Name] {
			err = errors.Join(err, fmt.Errorf("requests::rules::%d::name is %q again: use another", i, rule.Name))
		}
		names[rule.Name] = true
	}
	return err
}

func (c *RuleConfig) validate(at int) error {
	key := fmt.Sprintf("requests::rules::%d", at)
	var err error
	if c.Name == "" {
		err = fmt.Errorf("%s::name is empty: give the rule a name", key)
	}
	if len(c.Scopes)+len(c.Spans)+len(c.Attributes) == 0 {
		err = errors.Join(err, fmt.Errorf("%s would match every span: set scopes, spans or attributes", key))
	}
	for _, kind := range c.Kinds {
		if _, ok := kinds[kind]; !ok {
			err = errors.Join(err, fmt.Errorf("%s::kinds has %q: use internal, server, client, producer, consumer or unspecified", key, kind))
		}
	}
	for _, attribute := range c.Attributes {
		if strings.Contains(strings.TrimSuffix(attribute, "*"), "*") {
			err = errors.Join(err, fmt.Errorf("%s::attributes has %q: use * at the end only", key, attribute))
		}
	}
	if _, ok := details[c.Detail]; !ok {
		err = errors.Join(err, fmt.Errorf("%s::detail is %q: use full or summary", key, string(c.Detail)))
	}
	if (c.Fields.HostID == "") != (c.Fields.ThreadID == "") {
		err = errors.Join(err, fmt.Errorf("%s::fields has one of host_id and thread_id: set both or none", key))
	}
	return err
}

func between(key string, got, least, most time.Duration) error {
	if got < least || got > most {
		return fmt.Errorf("%s is %s: use %s to %s", key, got, least, most)
	}
	return nil
}

func bytesBetween(key string, got, least int64) error {
	if got < least || got > maxBytes {
		return fmt.Errorf("%s is %d: use %d to %d", key, got, least, int64(maxBytes))
	}
	return nil
}

func limit(key string, got uint32) error {
	if got == 0 || got > maxLimit {
		return fmt.Errorf("%s is %d: use 1 to %d", key, got, maxLimit)
	}
	return nil
}

func atMost(key string, got, most uint32) error {
	if got > most {
		return fmt.Errorf("%s is %d: use 0 to %d", key, got, most)
	}
	return nil
}
