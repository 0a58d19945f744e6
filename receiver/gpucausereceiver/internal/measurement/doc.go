// Package measurement turns the increments that the Linux kernel side counted
// into cumulative OTLP metrics, one resource per process. It does no I/O and
// reads no clock.
//
// Every increment goes to exactly one series: to the thread's own once the
// thread has launched GPU work (a dispatcher, with thread.id and thread.name),
// and to its process's before that and for all other threads. A dispatcher
// without room counts there, too; but its ledger and stalls, which only
// dispatchers have, count in an overflow series. Nothing ever
// moves between series. So each series is monotonic, and the last values of all
// series of a process sum to exactly what was counted. A dispatcher's series
// are emitted a last time after it exits and then end, and so do all series of
// a process.
package measurement
