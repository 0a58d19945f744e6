// Package processcontext reads what a process publishes of itself to observers
// (OTEP 4719, process context): its OpenTelemetry resource. All of it is the
// process's own claim, and its memory is hostile input.
package processcontext
