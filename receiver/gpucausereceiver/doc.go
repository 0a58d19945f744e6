//go:generate go tool -modfile=../../internal/tools/go.mod mdatagen metadata.yaml

// Package gpucausereceiver is the OpenTelemetry Collector receiver that traces
// the CUDA calls of every process on the host and emits, for each GPU stall, a
// trace of its causal chain, and metrics of all calls and dispatch cycles. It
// owns the component's life cycle and the flow from ring buffer to consumer; it
// talks to no BPF and decides no cause.
package gpucausereceiver
