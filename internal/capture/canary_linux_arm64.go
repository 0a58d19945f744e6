package capture

// returnProbesSafe is true: on arm64 a return probe makes no system call in the
// probed process, so no seccomp filter can object.
func returnProbesSafe(Mechanism) (bool, error) { return true, nil }
