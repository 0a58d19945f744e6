package requestcauseprocessor

import (
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/request"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/scan"
)

// RuleConfig says which spans are requests of one kind of server, and where what
// they say of themselves stands. All that is set must hold.
type RuleConfig struct {
	// Name is what the rule is called in this component's metrics.
	Name string `mapstructure:"name"`
	// Scopes are names of instrumentation scopes, of which one must match; *
	// stands for any text.
	Scopes []string `mapstructure:"scopes"`
	// Spans are names of spans, of which one must match; * stands for any text.
	Spans []string `mapstructure:"spans"`
	// Kinds are kinds of spans, of which one must match: internal, server, client,
	// producer, consumer, unspecified.
	Kinds []string `mapstructure:"kinds"`
	// Attributes are names of attributes, which all must be there. One with a * at
	// the end stands for any attribute that begins so; there is no * elsewhere.
	Attributes []string `mapstructure:"attributes"`
	// Fields are the names of the attributes with what is needed of a request.
	Fields FieldsConfig `mapstructure:"fields"`
	// Detail is "full", or "summary" for the summary alone.
	Detail Detail `mapstructure:"detail"`
}

// FieldsConfig names attributes. Those that a server does not write stay empty.
type FieldsConfig struct {
	// Queue, Prefill, Decode, FirstToken and EndToEnd are latencies in seconds:
	// waiting for the engine; from there to the first token; from there to the
	// last one; and to the first and the last token from the arrival on.
	Queue      string `mapstructure:"queue"`
	Prefill    string `mapstructure:"prefill"`
	Decode     string `mapstructure:"decode"`
	FirstToken string `mapstructure:"first_token"`
	EndToEnd   string `mapstructure:"end_to_end"`
	// PromptTokens, CompletionTokens, Sequences and Logprobs say how much work it was.
	PromptTokens     string `mapstructure:"prompt_tokens"`
	CompletionTokens string `mapstructure:"completion_tokens"`
	Sequences        string `mapstructure:"sequences"`
	Logprobs         string `mapstructure:"logprobs"`
	// RequestID is the same on all spans of one request.
	RequestID string `mapstructure:"request_id"`
	// HostID and ThreadID name the thread that the span is of: an exact join.
	HostID   string `mapstructure:"host_id"`
	ThreadID string `mapstructure:"thread_id"`
}

// Detail says what is appended to a request.
type Detail string

// Details.
const (
	DetailFull    Detail = "full"
	DetailSummary Detail = "summary"
)

var (
	details = map[Detail]request.Detail{
		"": request.DetailFull, DetailFull: request.DetailFull, DetailSummary: request.DetailSummary,
	}
	kinds = map[string]ptrace.SpanKind{
		"unspecified": ptrace.SpanKindUnspecified,
		"internal":    ptrace.SpanKindInternal,
		"server":      ptrace.SpanKindServer,
		"client":      ptrace.SpanKindClient,
		"producer":    ptrace.SpanKindProducer,
		"consumer":    ptrace.SpanKindConsumer,
	}
)

// rule translates c, which must be valid.
func (c *RuleConfig) rule() request.Rule {
	rule := request.Rule{
		Name: c.Name, Scopes: c.Scopes, Spans: c.Spans, Attributes: c.Attributes,
		Fields: c.Fields.fields(), Detail: details[c.Detail],
	}
	for _, kind := range c.Kinds {
		rule.Kinds = append(rule.Kinds, kinds[kind])
	}
	return rule
}

func (f *FieldsConfig) fields() request.Fields {
	return request.Fields{
		Queue: f.Queue, Prefill: f.Prefill, Decode: f.Decode, FirstToken: f.FirstToken, EndToEnd: f.EndToEnd,
		PromptTokens: f.PromptTokens, CompletionTokens: f.CompletionTokens,
		Sequences: f.Sequences, Logprobs: f.Logprobs,
		ID: f.RequestID, HostID: f.HostID, TID: f.ThreadID,
	}
}

// scanner returns what finds the requests of all rules. A rule that says neither
// scopes nor spans names no server.
func (c *RequestsConfig) scanner() *scan.Scanner {
	rules := c.rules()
	generic := make(map[int]bool)
	for rank := range rules {
		generic[rank] = len(rules[rank].Scopes)+len(rules[rank].Spans) == 0
	}
	return scan.New(request.NewMatcher(rules), generic)
}

// rules returns all rules in their order.
func (c *RequestsConfig) rules() []request.Rule {
	var all []request.Rule
	for i := range c.Rules {
		all = append(all, c.Rules[i].rule())
	}
	if c.Defaults {
		builtIn := defaultRules()
		for i := range builtIn {
			all = append(all, builtIn[i].rule())
		}
	}
	return all
}
