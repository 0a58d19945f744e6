//go:generate go tool -modfile=../../internal/tools/go.mod mdatagen metadata.yaml

// Package requestcauseprocessor is the OpenTelemetry Collector processor that
// joins the receiver's stalls onto request spans: the trace of a slow request
// then shows what stalled the GPU meanwhile, and why. It owns the component's
// life cycle, what is held back for late stalls, and the order in which it
// leaves; what is joined is decided under internal.
package requestcauseprocessor
