package process

import "net/netip"

// Relative is a process of this machine, as the Linux kernel describes it: a
// traced one, or one related to it by descent.
type Relative struct {
	PID       int64 // in the host's PID namespace
	ParentPID int64
	OwnPID    int64  // in its innermost PID namespace
	Nested    bool   // that namespace is not the host's
	Start     uint64 // clock ticks since boot: tells processes with the same number apart
	NetNS     uint64 // network namespace; 0 where it cannot be read
	// OwnNetwork is true where the process's network is not this machine's, and
	// Addresses are that network's own. Nothing is said where it cannot be read.
	OwnNetwork bool
	Addresses  []netip.Addr

	Executable  string // what it executes, by path
	Command     string // comm
	Title       string // the first argument, as the process sets it
	ControlPath string // its control group
	ContainerID string
	PodUID      string
	HostName    string // as in its own file system; empty where it cannot be read
}

// Relatives is processes of this machine by number.
type Relatives map[int64]*Relative
