// Package pairing brings the reports of a collective's ranks together, in bounded
// memory. It judges nothing, reads no clock, and hands each collective out exactly
// once.
package pairing
