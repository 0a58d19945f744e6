package capture

// System calls that only amd64 has.
var pollSyscalls, pauseSyscalls []int
