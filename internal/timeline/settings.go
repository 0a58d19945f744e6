package timeline

import "time"

// Settings bounds a Timeline. A zero field takes its default.
type Settings struct {
	// Settle is how long after its end a tree or cycle is held back, so that the records
	// of other threads that overlap it have arrived. Default 100 ms.
	Settle time.Duration
	// Retention is how long a thread's intervals are kept for look-ups, and an
	// idle or exited thread's state. Default 10 s.
	Retention time.Duration
	// OrphanAfter is how long a nested record waits for the record of its
	// enclosing call, and a tree for the record of its cycle, when nothing proves
	// that it will not come. Default 30 s.
	OrphanAfter time.Duration

	MaxThreads         int // threads with state, and as many processes; default 8192
	MaxPending         int // trees and cycles held back until they settle, and as many trees that wait for their cycle; default 16384
	MaxCycleTrees      int // trees of a thread that wait for their cycle, hence per cycle: the latest; default 4096
	MaxCycleOffCPU     int // intervals of a thread outside of calls that wait for their cycle: the latest; default 1024
	MaxHeldOffCPU      int // of them in all threads; default 65536, about 25 MB
	MaxParts           int // records per thread that wait for their enclosing call, hence per tree; default 256
	IntervalsPerThread int // kept for look-ups; default 256
	MaxIntervals       int // kept for look-ups, all threads together; default 131072, about 40 MB
}

func (s Settings) withDefaults() Settings {
	setDefault(&s.Settle, 100*time.Millisecond)
	setDefault(&s.Retention, 10*time.Second)
	setDefault(&s.OrphanAfter, 30*time.Second)
	setDefault(&s.MaxThreads, 8192)
	setDefault(&s.MaxPending, 16384)
	setDefault(&s.MaxCycleTrees, 4096)
	setDefault(&s.MaxCycleOffCPU, 1024)
	setDefault(&s.MaxHeldOffCPU, 65536)
	setDefault(&s.MaxParts, 256)
	setDefault(&s.IntervalsPerThread, 256)
	setDefault(&s.MaxIntervals, 131072)
	return s
}

func setDefault[T ~int | ~int64](field *T, value T) {
	if *field <= 0 {
		*field = value
	}
}
