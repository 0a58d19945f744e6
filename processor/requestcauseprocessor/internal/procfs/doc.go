// Package procfs reads from Linux's proc which processes are related to traced
// ones, and which of them has a connection. Only where a Linux kernel does not
// list the children of a process does it look at other processes, for who their
// parent is. On other systems, and without proc, it finds nothing.
package procfs
