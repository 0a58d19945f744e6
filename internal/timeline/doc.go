// Package timeline turns records into what threads did: complete trees of
// nested calls, grouped by dispatch cycle where the thread has cycles, and for a while the intervals of every traced thread, so that a
// waker's doings can be looked up. It explains nothing: it only orders and
// nests what the Linux kernel side measured.
//
// It is pure and single-threaded: no I/O, no clock. Time enters as the stamps
// of records and through Advance.
package timeline
