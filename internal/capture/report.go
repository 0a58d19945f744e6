package capture

import "github.com/gpucause/gpucause/internal/event"

// Report answers "what am I not seeing?". All counts are totals since Open.
type Report struct {
	Dropped map[event.Kind]uint64 // records for which the ring buffer had no room

	Malformed uint64 // records that did not decode
	Read      uint64 // records read

	UnmatchedReturns uint64            // returns without an entry: attached mid-call, fork inside a call
	AbandonedCalls   uint64            // calls without a return: longjmp, exception, return not seen, exit, exec
	StackOverflows   uint64            // calls nested deeper than the frame stack
	MapFull          map[string]uint64 // inserts refused, by map name
	UserReadFaults   uint64            // unreadable argument memory of a target
	ContextFaults    uint64            // unreadable memory where thread contexts should be
	DependenciesLost uint64            // communicators that a GPU stream or CUDA event depended on beyond those that it has room for

	Processes uint64    // traced now
	Followed  uint64    // followed now, because they wake traced ones
	Libraries []Library // attached now
	Attached  Mechanism // in use
	EntryOnly bool      // return probes are off: the canary did not survive one, or could not be run

	Programs []ProgramCost // per BPF program; run time only while the Linux kernel's BPF statistics are on

	DiscoveryPasses uint64
	DiscoveryTime   int64             // nanoseconds spent looking for libraries
	AttachFailures  map[string]uint64 // by reason
}

// Library is a file that probes are attached to.
type Library struct {
	Path          string // as its first process sees it
	Device        uint32 // Linux kernel's dev_t of the real inode
	Inode         uint64
	Attached      int      // functions
	Emulated      int      // of which the Linux kernel emulates the probed instruction
	SingleStepped int      // of which it single-steps it
	EntryOnly     int      // of which no return is probed
	Missing       []string // catalogue functions of its layer that it does not export
}

// ProgramCost is what one BPF program has cost.
type ProgramCost struct {
	Name      string
	Runs      uint64
	RunTime   int64  // nanoseconds
	Recursion uint64 // runs that the Linux kernel left out
}
