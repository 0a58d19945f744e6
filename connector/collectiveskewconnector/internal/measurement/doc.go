// Package measurement turns verdicts into cumulative OTLP metrics, in a bounded
// number of series. It does no I/O and reads no clock.
package measurement
