package capture

import (
	"errors"
	"time"
)

// Mechanism is how uprobes are attached.
type Mechanism uint8

// Mechanisms, best last. MechanismAuto takes the best that the Linux kernel supports.
const (
	MechanismAuto    Mechanism = iota
	MechanismPerf              // one perf event per function and direction; Linux 5.15, CAP_SYS_ADMIN
	MechanismMulti             // a pair of uprobe-multi links per library; Linux 6.6
	MechanismSession           // one uprobe-multi session link per library; Linux 6.13
)

// String returns the mechanism's name in configuration and telemetry.
func (m Mechanism) String() string {
	switch m {
	case MechanismPerf:
		return "perf"
	case MechanismMulti:
		return "multi"
	case MechanismSession:
		return "session"
	default:
		return "auto"
	}
}

// Settings control a Session. The zero value of a field means its default where
// DefaultSettings has one and "none" otherwise.
type Settings struct {
	Mechanism Mechanism

	// A call, sync or off-CPU interval of at least this long becomes a record.
	SlowCall   time.Duration
	SlowSync   time.Duration
	SlowOffCPU time.Duration // off-CPU intervals outside calls
	// An off-CPU interval inside a call that is not a sync becomes a record from this length on.
	Interruption time.Duration
	// A dispatch cycle of at least MinCycle becomes a record; one longer than
	// MaxCycle is closed and another opened.
	MinCycle time.Duration
	MaxCycle time.Duration
	// SampleEvery makes one call in so many of each thread a record; 0 is off.
	SampleEvery uint32

	// SplitFunctions counts the launches of each GPU function apart.
	SplitFunctions bool

	KernelStacks bool // take the Linux kernel stack of blocked threads

	RingBytes    uint32 // ring buffer, a power of two and a multiple of the page size
	MaxProcesses uint32 // traced and followed processes
	MaxThreads   uint32 // threads with off-CPU counters of their own
	MaxSeries    uint32 // (thread, function) pairs with counters of their own
	MaxFunctions uint32 // (process, launched function) pairs remembered, and twice as many registered ones
	MaxPointers  uint32 // live GPU allocations remembered

	NCCL bool // trace it
	// MaxCommunicators bounds the communicators, and with them the pairs of ranks
	// that send to each other (twice as many), and the GPU streams and CUDA events
	// that depend on collectives (four times as many).
	MaxCommunicators uint32

	// SharedSpans is the BPF file system with the map by which observers tell each
	// other which span a thread is in (OTEP 4855), such as /sys/fs/bpf; "": none.
	SharedSpans string
	// ThreadSpans has the spans read in which threads say that they are (OTEP 4947),
	// in processes for which Session.PlaceThreadContext tells where.
	ThreadSpans bool

	// DiscoverEvery is the pause between looks for newly mapped libraries.
	DiscoverEvery time.Duration
	// SingleStepARM64 allows probe sites that must be single-stepped on arm64,
	// where some Linux kernels corrupt the probed process.
	SingleStepARM64 bool
}

// DefaultSettings suit a production inference server.
func DefaultSettings() Settings {
	return Settings{
		SlowCall:         time.Millisecond,
		SlowSync:         10 * time.Millisecond,
		SlowOffCPU:       200 * time.Microsecond,
		Interruption:     20 * time.Microsecond,
		MinCycle:         time.Millisecond,
		MaxCycle:         10 * time.Second,
		KernelStacks:     true,
		RingBytes:        4 << 20,
		MaxProcesses:     1024,
		MaxThreads:       4096,
		MaxSeries:        4096,
		MaxFunctions:     16384,
		MaxPointers:      32768,
		NCCL:             true,
		MaxCommunicators: 4096,
		DiscoverEvery:    200 * time.Millisecond,
	}
}

// Errors of Open that say why nothing can be traced here. Each comes wrapped
// with what to do about it.
var (
	ErrNotLinux     = errors.New("gpucause traces Linux only, on amd64 and arm64")
	ErrKernelOld    = errors.New("the Linux kernel is too old")
	ErrNoBTF        = errors.New("the Linux kernel has no BTF type information")
	ErrCapability   = errors.New("a capability is missing")
	ErrTracefs      = errors.New("tracefs is not mounted")
	ErrPIDNamespace = errors.New("not in the initial PID namespace")
)
