package request

import (
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// Rule says which spans are requests of one kind of server, and where what they
// say of themselves stands. All that is set must hold; what is not set holds for
// every span.
type Rule struct {
	Name       string
	Scopes     []string // instrumentation scopes; * stands for anything
	Spans      []string // span names; * stands for anything
	Kinds      []ptrace.SpanKind
	Attributes []string // that must be present; with a * at the end: one that begins so
	Fields     Fields
	Detail     Detail
}

// Fields names the attributes with the figures of a request. An empty name is
// an attribute that the server does not write.
type Fields struct {
	// Latencies, in seconds.
	Queue      string // in the engine's queue
	Prefill    string // from the first scheduling to the first token
	Decode     string // from the first token to the last
	FirstToken string // from the arrival to the first token
	EndToEnd   string // from the arrival to the last token
	// Work.
	PromptTokens     string
	CompletionTokens string
	Sequences        string // asked for at once
	Logprobs         string // per token
	// ID is what the client knows the request by. Spans of several sequences of
	// one request share it.
	ID string
	// HostID and TID name the very thread that the span is of.
	HostID string
	TID    string
}

// Detail says what is appended to a request.
type Detail uint8

// Details.
const (
	DetailFull    Detail = iota // its stalls and a summary
	DetailSummary               // only the summary
)

// field is what an attribute says.
type field uint8

const (
	fieldNone field = iota
	fieldQueue
	fieldPrefill
	fieldDecode
	fieldFirstToken
	fieldEndToEnd
	fieldPromptTokens
	fieldCompletionTokens
	fieldSequences
	fieldLogprobs
	fieldID
	fieldHostID
	fieldTID
)

// byKey returns the fields by the attributes that they stand in.
func (f *Fields) byKey() map[string]field {
	keys := make(map[string]field)
	for which, key := range map[field]string{
		fieldQueue: f.Queue, fieldPrefill: f.Prefill, fieldDecode: f.Decode,
		fieldFirstToken: f.FirstToken, fieldEndToEnd: f.EndToEnd,
		fieldPromptTokens: f.PromptTokens, fieldCompletionTokens: f.CompletionTokens,
		fieldSequences: f.Sequences, fieldLogprobs: f.Logprobs,
		fieldID: f.ID, fieldHostID: f.HostID, fieldTID: f.TID,
	} {
		if key != "" {
			keys[key] = which
		}
	}
	return keys
}
