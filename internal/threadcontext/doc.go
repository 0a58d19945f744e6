// Package threadcontext finds where the threads of a process publish the span
// that they are in (OTEP 4947, thread context): the place of a thread-local
// variable of a known name. Reading it there is the Linux kernel side's.
package threadcontext
