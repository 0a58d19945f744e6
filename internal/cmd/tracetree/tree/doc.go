// Package tree turns OTLP traces into text for a terminal: one tree per trace,
// a line per span. It owns how a span reads; it does not own which traces are
// interesting, files, flags or the terminal itself.
package tree
