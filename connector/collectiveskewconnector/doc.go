//go:generate go tool -modfile=../../internal/tools/go.mod mdatagen metadata.yaml

// Package collectiveskewconnector is the OpenTelemetry Collector connector that
// brings the ranks of one NCCL collective together, from any number of nodes, and
// tells who was late, by how much, who waited for it and why: as spans in the
// collective's trace and as metrics. It owns the component's life cycle and the flow
// from spans to consumer; what follows from the spans is decided in the packages
// below internal.
package collectiveskewconnector
