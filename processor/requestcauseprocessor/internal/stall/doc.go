// Package stall reads the receiver's stalls out of its traces and remembers
// them for as long as requests may ask: a bounded store, ordered by time, of one
// series per thread. It decides nothing about requests.
package stall
