// Package core is what the processor knows: the traced processes, their stalls,
// and the requests of late. It learns from what a scan has found and joins
// requests. It is pure, and for one goroutine: time passes in.
package core
