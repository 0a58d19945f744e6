// Package spans turns chains and stalls into OTLP traces: one trace per dispatch
// cycle, or per outermost call of a thread without cycles, with
// one resource per process in it. It decides names, attributes, ids and links,
// and nothing about which chains are worth a trace.
//
// It is pure: no I/O, no clock. The same chains give the same traces, ids included.
package spans
