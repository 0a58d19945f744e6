// Package ktime owns time: the Linux kernel's monotonic clock, in which every
// record is stamped, and its conversion to wall time. It knows nothing of what
// the times belong to.
package ktime
