package collective

import "time"

// Settings bounds a Tracker and says which operations are worth a span. A zero
// field takes its default.
type Settings struct {
	// HostID makes the communicators that only one process knows unique among hosts.
	HostID string
	// SampleEvery makes one operation in so many worth a span, the same ones on
	// every rank. Default 100; negative is none.
	SampleEvery int
	// Slow is the wait, or the time between the first and the last rank's arrival,
	// from which an operation is worth a span in any case. Default 5 ms.
	Slow time.Duration
	// Timeout is how long after it was issued an operation is told that was not
	// seen to complete. It is told again if it completes within four times as long.
	// Default 10 s.
	Timeout time.Duration
	// Settle is how long after its completion an operation is held back, so that
	// the other ranks' records have arrived. Default 100 ms.
	Settle time.Duration

	MaxCommunicators int // default 4096
	MaxOperations    int // that wait to be told; default 65536
	MaxOpen          int // operations that are not complete and are remembered, and those in groups that have not ended; default 65536 each
	MaxMeetings      int // operations whose ranks of this host are remembered; default 65536
	MaxThreads       int // whose latest arrival is remembered, on each communicator by itself; whose waits are; that are in a group; default 8192 each
	WaitsPerThread   int // latest waits that are remembered, up to twice as many; default 1024
}

func (s Settings) withDefaults() Settings {
	if s.SampleEvery == 0 {
		s.SampleEvery = 100
	}
	setDefault(&s.Slow, 5*time.Millisecond)
	setDefault(&s.Timeout, 10*time.Second)
	setDefault(&s.Settle, 100*time.Millisecond)
	setDefault(&s.MaxCommunicators, 4096)
	setDefault(&s.MaxOperations, 65536)
	setDefault(&s.MaxOpen, 65536)
	setDefault(&s.MaxMeetings, 65536)
	setDefault(&s.MaxThreads, 8192)
	setDefault(&s.WaitsPerThread, 1024)
	return s
}

func setDefault[T ~int | ~int64](field *T, value T) {
	if *field <= 0 {
		*field = value
	}
}
