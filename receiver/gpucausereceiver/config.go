package gpucausereceiver

import (
	"time"

	"go.opentelemetry.io/collector/component"

	"github.com/gpucause/gpucause/internal/capture"
)

// Config is what users write under `gpucause:`. README.md documents every key.
type Config struct {
	// Attach says how probes are attached to the traced libraries.
	Attach AttachConfig `mapstructure:"attach"`
	// Calls says which CUDA calls become spans; all of them are in the metrics.
	Calls CallsConfig `mapstructure:"calls"`
	// OffCPU says which off-CPU intervals become spans; all of them are in the metrics.
	OffCPU OffCPUConfig `mapstructure:"off_cpu"`
	// Limits bound the memory of the kernel side and of the receiver.
	Limits LimitsConfig `mapstructure:"limits"`
	// Stalls says which dispatch cycles become traces; all of them are in the metrics.
	Stalls StallsConfig `mapstructure:"stalls"`
	// NCCL says which operations of NCCL become spans; all of them are in the metrics.
	NCCL NCCLConfig `mapstructure:"nccl"`
	// Spans bounds the traces.
	Spans SpansConfig `mapstructure:"spans"`
	// FollowWakers says whether processes that wake traced ones are traced too.
	FollowWakers FollowWakersConfig `mapstructure:"follow_wakers"`
	// Resource says what describes a traced process.
	Resource ResourceConfig `mapstructure:"resource"`
	// TraceContext says what is read of the context that processes publish, or
	// others for them.
	TraceContext TraceContextConfig `mapstructure:"trace_context"`
	// CollectionInterval is the time between two emissions of the metrics.
	CollectionInterval time.Duration `mapstructure:"collection_interval"`
	// DiscoveryInterval is the pause between looks for newly mapped libraries.
	DiscoveryInterval time.Duration `mapstructure:"discovery_interval"`
	// ErrorMode says what happens where nothing can be traced: "propagate"
	// fails the start of the Collector, "degrade" reports a permanent error
	// through component status and lets the Collector run without this data.
	ErrorMode ErrorMode `mapstructure:"error_mode"`
}

// AttachConfig says how probes are attached.
type AttachConfig struct {
	// Mechanism is "auto", "session" (Linux 6.13), "multi" (6.6) or "perf" (5.15).
	Mechanism string `mapstructure:"mechanism"`
	// SingleStepARM64 allows, on arm64, probes on instructions that the Linux
	// kernel must single-step.
	SingleStepARM64 bool `mapstructure:"single_step_arm64"`
}

// CallsConfig says which calls are notable.
type CallsConfig struct {
	// SlowThreshold is the duration from which a call becomes a span.
	SlowThreshold time.Duration `mapstructure:"slow_threshold"`
	// SyncThreshold is the same for synchronisations, which wait by design.
	SyncThreshold time.Duration `mapstructure:"sync_threshold"`
	// InterruptionThreshold is the length from which an off-CPU interval inside
	// a call becomes a span.
	InterruptionThreshold time.Duration `mapstructure:"interruption_threshold"`
	// SampleEvery makes one call in so many of each thread a span; 0 is off.
	SampleEvery uint32 `mapstructure:"sample_every"`
	// ByFunction counts launches by launched function in the metrics, as far as
	// limits::max_series and limits::max_series_per_process go.
	ByFunction bool `mapstructure:"by_function"`
}

// OffCPUConfig says which off-CPU intervals outside calls are notable.
type OffCPUConfig struct {
	// Threshold is the length from which an off-CPU interval outside calls becomes a span.
	Threshold time.Duration `mapstructure:"threshold"`
	// KernelStacks takes the Linux kernel stack of blocked threads.
	KernelStacks bool `mapstructure:"kernel_stacks"`
}

// StallsConfig says which dispatch cycles become traces.
type StallsConfig struct {
	// Mode is "stalls" for the cycles that are slow for their thread, the failing
	// ones and a baseline, "all" for every recorded cycle, and "off" to judge none.
	// Calls of threads without recorded cycles are judged but with "all".
	Mode StallMode `mapstructure:"mode"`
	// MinDuration is the length from which a cycle may be a stall.
	MinDuration time.Duration `mapstructure:"min_duration"`
	// Ratio is how many times its thread's typical duration a stall takes at least.
	Ratio float64 `mapstructure:"ratio"`
	// WarmUp is how many cycles of a thread make up a first idea of what is
	// typical; none of them is a stall.
	WarmUp uint32 `mapstructure:"warm_up"`
	// Window is how many of a thread's latest cycles what is typical rests on.
	Window uint32 `mapstructure:"window"`
	// IdleInterval is the time between two traces of idle cycles of one thread, which
	// are long because nothing came from outside; 0 is none.
	IdleInterval time.Duration `mapstructure:"idle_interval"`

	// BaselineInterval is the time between two traces of unremarkable cycles of
	// one thread, to compare with; 0 is off.
	BaselineInterval time.Duration `mapstructure:"baseline_interval"`
	// MinCycle is the length from which a cycle is recorded.
	MinCycle time.Duration `mapstructure:"min_cycle"`
	// MaxCycle is the length at which a cycle is closed and another opened.
	MaxCycle time.Duration `mapstructure:"max_cycle"`
}

// StallMode says which dispatch cycles become traces.
type StallMode string

// Stall modes.
const (
	StallModeStalls StallMode = "stalls"
	StallModeAll    StallMode = "all"
	StallModeOff    StallMode = "off"
)

// LimitsConfig bounds memory.
type LimitsConfig struct {
	// RingBufferBytes is the ring buffer's size: a power of two of at least 64 KiB.
	RingBufferBytes uint32 `mapstructure:"ring_buffer_bytes"`
	// MaxProcesses bounds the traced and followed processes.
	MaxProcesses uint32 `mapstructure:"max_processes"`
	// MaxThreads bounds the threads with off-CPU counters of their own.
	MaxThreads uint32 `mapstructure:"max_threads"`
	// MaxSeries bounds the (thread, function) pairs with counters of their own.
	MaxSeries uint32 `mapstructure:"max_series"`
	// MaxSeriesPerProcess bounds the emitted series of one process; the rest
	// counts in a series with otel.metric.overflow.
	MaxSeriesPerProcess uint32 `mapstructure:"max_series_per_process"`
	// MaxFunctions bounds the (process, launched function) pairs remembered.
	MaxFunctions uint32 `mapstructure:"max_functions"`
	// MaxPointers bounds the live GPU allocations remembered.
	MaxPointers uint32 `mapstructure:"max_pointers"`
}

// NCCLConfig says which operations of NCCL are traced.
type NCCLConfig struct {
	// Enabled traces NCCL.
	Enabled bool `mapstructure:"enabled"`
	// SampleEvery makes one operation in so many a span, the same ones on every
	// rank; 0 is off.
	SampleEvery uint32 `mapstructure:"sample_every"`
	// SlowThreshold is the host's wait, or the time between the first and the last
	// rank's arrival on this host, from which an operation becomes a span in any case.
	SlowThreshold time.Duration `mapstructure:"slow_threshold"`
	// Timeout is how long after it was issued an operation is told that the host
	// has not seen to complete.
	Timeout time.Duration `mapstructure:"timeout"`
	// MaxCommunicators bounds the communicators that are followed.
	MaxCommunicators uint32 `mapstructure:"max_communicators"`
}

// SpansConfig bounds the traces.
type SpansConfig struct {
	// MaxPerSecond is the sustained rate of spans per process; bursts may take
	// as many as two seconds' worth. Sampled operations of NCCL are emitted beyond
	// it, and count. 0 emits no traces.
	MaxPerSecond uint32 `mapstructure:"max_per_second"`
	// MaxDepth bounds how many wakers deep a chain is told.
	MaxDepth uint32 `mapstructure:"max_depth"`
	// MaxIntervals bounds the intervals of one chain.
	MaxIntervals uint32 `mapstructure:"max_intervals"`
}

// FollowWakersConfig says whether wakers without CUDA calls are traced.
type FollowWakersConfig struct {
	// Enabled follows them, so that what they were doing can be told.
	Enabled bool `mapstructure:"enabled"`
	// MaxProcesses bounds the followed processes.
	MaxProcesses uint32 `mapstructure:"max_processes"`
}

// ResourceConfig says what describes a traced process.
type ResourceConfig struct {
	// CommandLine adds process.command_args, which may hold secrets.
	CommandLine bool `mapstructure:"command_line"`
}

// TraceContextConfig says what is read of who a process is and which spans its
// threads are in.
type TraceContextConfig struct {
	// SharedMap reads the span of a thread from the map that OBI fills.
	SharedMap bool `mapstructure:"shared_map"`
	// BPFFS is where the BPF file system with that map is mounted.
	BPFFS string `mapstructure:"bpf_fs"`
	// ThreadContext reads the span of a thread where the thread publishes it (OTEP 4947).
	ThreadContext bool `mapstructure:"thread_context"`
	// ProcessContext reads the resource of a process where it publishes it (OTEP 4719).
	ProcessContext bool `mapstructure:"process_context"`
	// Parent makes traces part of that of the span, instead of linking to it.
	Parent bool `mapstructure:"parent"`
}

// ErrorMode says what happens where nothing can be traced.
type ErrorMode string

// Error modes.
const (
	ErrorModePropagate ErrorMode = "propagate"
	ErrorModeDegrade   ErrorMode = "degrade"
)

func createDefaultConfig() component.Config {
	settings := capture.DefaultSettings()
	return &Config{
		Attach: AttachConfig{Mechanism: settings.Mechanism.String()},
		Calls: CallsConfig{
			SlowThreshold:         settings.SlowCall,
			SyncThreshold:         settings.SlowSync,
			InterruptionThreshold: settings.Interruption,
		},
		OffCPU: OffCPUConfig{
			Threshold:    settings.SlowOffCPU,
			KernelStacks: settings.KernelStacks,
		},
		Limits: LimitsConfig{
			RingBufferBytes:     settings.RingBytes,
			MaxProcesses:        settings.MaxProcesses,
			MaxThreads:          settings.MaxThreads,
			MaxSeries:           settings.MaxSeries,
			MaxSeriesPerProcess: 512,
			MaxFunctions:        settings.MaxFunctions,
			MaxPointers:         settings.MaxPointers,
		},
		Stalls: StallsConfig{
			Mode:             StallModeStalls,
			MinDuration:      10 * time.Millisecond,
			Ratio:            1.5,
			WarmUp:           8,
			Window:           64,
			IdleInterval:     time.Minute,
			BaselineInterval: time.Minute,
			MinCycle:         settings.MinCycle,
			MaxCycle:         settings.MaxCycle,
		},
		NCCL: NCCLConfig{
			Enabled: true, SampleEvery: 100, SlowThreshold: 5 * time.Millisecond,
			Timeout: 10 * time.Second, MaxCommunicators: settings.MaxCommunicators,
		},
		Spans:              SpansConfig{MaxPerSecond: 500, MaxDepth: 4, MaxIntervals: 64},
		FollowWakers:       FollowWakersConfig{Enabled: true, MaxProcesses: 64},
		TraceContext:       TraceContextConfig{BPFFS: "/sys/fs/bpf", ProcessContext: true},
		CollectionInterval: 10 * time.Second,
		DiscoveryInterval:  settings.DiscoverEvery,
		ErrorMode:          ErrorModePropagate,
	}
}

// captureSettings translates c for [capture.Open]. c must be valid.
func (c *Config) captureSettings() capture.Settings {
	return capture.Settings{
		Mechanism:        mechanisms[c.Attach.Mechanism],
		SlowCall:         c.Calls.SlowThreshold,
		SlowSync:         c.Calls.SyncThreshold,
		SlowOffCPU:       c.OffCPU.Threshold,
		Interruption:     c.Calls.InterruptionThreshold,
		SampleEvery:      c.Calls.SampleEvery,
		SplitFunctions:   c.Calls.ByFunction,
		MinCycle:         c.Stalls.MinCycle,
		MaxCycle:         c.Stalls.MaxCycle,
		KernelStacks:     c.OffCPU.KernelStacks,
		RingBytes:        c.Limits.RingBufferBytes,
		MaxProcesses:     c.Limits.MaxProcesses,
		MaxThreads:       c.Limits.MaxThreads,
		MaxSeries:        c.Limits.MaxSeries,
		MaxFunctions:     c.Limits.MaxFunctions,
		MaxPointers:      c.Limits.MaxPointers,
		NCCL:             c.NCCL.Enabled,
		MaxCommunicators: c.NCCL.MaxCommunicators,
		DiscoverEvery:    c.DiscoveryInterval,
		SingleStepARM64:  c.Attach.SingleStepARM64,
		SharedSpans:      c.TraceContext.sharedSpans(),
		ThreadSpans:      c.TraceContext.ThreadContext,
	}
}

// sharedSpans is the BPF file system with the shared map, or "" where it is not read.
func (t TraceContextConfig) sharedSpans() string {
	if !t.SharedMap {
		return ""
	}
	return t.BPFFS
}
