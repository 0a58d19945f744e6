package request

import (
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// Matcher finds the rule that a span is a request by. It may be used from
// several goroutines.
type Matcher struct {
	rules []*compiled
}

// compiled is a rule, ready to be compared with many spans.
type compiled struct {
	Rule
	rank          int
	scopes, spans []glob
	exact         []string
	prefixes      []string
	fields        map[string]field
}

// NewMatcher returns a Matcher of rules. The first one that matches counts.
func NewMatcher(rules []Rule) *Matcher {
	m := &Matcher{}
	for rank, rule := range rules {
		m.rules = append(m.rules, compile(rule, rank))
	}
	return m
}

func compile(rule Rule, rank int) *compiled {
	c := &compiled{
		Rule: rule, rank: rank, fields: rule.Fields.byKey(),
		scopes: newGlobs(rule.Scopes), spans: newGlobs(rule.Spans),
	}
	for _, attribute := range rule.Attributes {
		if prefix, ok := strings.CutSuffix(attribute, "*"); ok {
			c.prefixes = append(c.prefixes, prefix)
			continue
		}
		c.exact = append(c.exact, attribute)
	}
	return c
}

// Scope is the rules that hold for one instrumentation scope.
type Scope struct {
	rules []*compiled
}

// Scope returns the rules to compare the spans of a scope with.
func (m *Matcher) Scope(name string) Scope {
	var s Scope
	for _, rule := range m.rules {
		if anyMatches(rule.scopes, name) {
			s.rules = append(s.rules, rule)
		}
	}
	return s
}

// Read reads a span as the first rule says that it matches. It reports false
// where the span is no request.
func (s Scope) Read(span ptrace.Span) (Request, bool) {
	for _, rule := range s.rules {
		if rule.matches(span) {
			return rule.read(span), true
		}
	}
	return Request{}, false
}

func (c *compiled) matches(span ptrace.Span) bool {
	if len(c.Kinds) > 0 && !slices.Contains(c.Kinds, span.Kind()) {
		return false
	}
	return anyMatches(c.spans, span.Name()) && c.hasAttributes(span.Attributes())
}

func (c *compiled) hasAttributes(attributes pcommon.Map) bool {
	for _, key := range c.exact {
		if _, ok := attributes.Get(key); !ok {
			return false
		}
	}
	for _, prefix := range c.prefixes {
		if !hasPrefix(attributes, prefix) {
			return false
		}
	}
	return true
}

func hasPrefix(attributes pcommon.Map, prefix string) bool {
	for key := range attributes.All() {
		if strings.HasPrefix(key, prefix) {
			return true
		}
	}
	return false
}
