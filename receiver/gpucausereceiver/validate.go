package gpucausereceiver

import (
	"errors"
	"fmt"
	"math/bits"
	"path/filepath"
	"time"

	"github.com/gpucause/gpucause/internal/capture"
)

// Bounds of what a user may ask for.
const (
	minCollectionInterval = time.Second
	minDiscoveryInterval  = 10 * time.Millisecond
	minRingBytes          = 64 << 10
	maxRingBytes          = 1 << 30
	maxLimit              = 1 << 20
	maxSpanDepth          = 16
	maxSpanIntervals      = 4096
	maxStallWindow        = 512
	maxStallRatio         = 1000
	minTellInterval       = time.Second
	minCycleLength        = 10 * time.Microsecond
	minMaxCycle           = 100 * time.Millisecond
	minNCCLTimeout        = time.Second
	maxNCCLTimeout        = time.Hour
)

var mechanisms = map[string]capture.Mechanism{
	capture.MechanismAuto.String():    capture.MechanismAuto,
	capture.MechanismPerf.String():    capture.MechanismPerf,
	capture.MechanismMulti.String():   capture.MechanismMulti,
	capture.MechanismSession.String(): capture.MechanismSession,
}

// Validate reports every key whose value cannot work, with what to write instead.
func (c *Config) Validate() error {
	return errors.Join(
		c.Attach.validate(),
		atLeast("collection_interval", c.CollectionInterval, minCollectionInterval),
		atLeast("discovery_interval", c.DiscoveryInterval, minDiscoveryInterval),
		positive("calls::slow_threshold", c.Calls.SlowThreshold),
		positive("calls::sync_threshold", c.Calls.SyncThreshold),
		positive("calls::interruption_threshold", c.Calls.InterruptionThreshold),
		positive("off_cpu::threshold", c.OffCPU.Threshold),
		c.Stalls.validate(),
		c.NCCL.validate(),
		c.Limits.validate(),
		within("spans::max_depth", c.Spans.MaxDepth, maxSpanDepth),
		within("spans::max_intervals", c.Spans.MaxIntervals, maxSpanIntervals),
		c.FollowWakers.validate(c.Limits),
		c.TraceContext.validate(),
		c.ErrorMode.validate(),
	)
}

func (a AttachConfig) validate() error {
	if _, ok := mechanisms[a.Mechanism]; !ok {
		return fmt.Errorf("attach::mechanism is %q: use auto, session, multi or perf", a.Mechanism)
	}
	return nil
}

func (s StallsConfig) validate() error {
	return errors.Join(
		s.Mode.validate(),
		atLeast("stalls::min_cycle", s.MinCycle, minCycleLength),
		atLeast("stalls::max_cycle", s.MaxCycle, minMaxCycle),
		s.validateMinDuration(),
		s.validateRatio(),
		within("stalls::window", s.Window, maxStallWindow),
		s.validateWarmUp(),
		s.validateIntervals(),
	)
}

func (n NCCLConfig) validate() error {
	return errors.Join(
		positive("nccl::slow_threshold", n.SlowThreshold),
		atLeast("nccl::timeout", n.Timeout, minNCCLTimeout),
		atMost("nccl::timeout", n.Timeout, maxNCCLTimeout),
		within("nccl::max_communicators", n.MaxCommunicators, maxLimit),
	)
}

func (m StallMode) validate() error {
	switch m {
	case StallModeStalls, StallModeAll, StallModeOff:
		return nil
	default:
		return fmt.Errorf("stalls::mode is %q: use stalls, all or off", string(m))
	}
}

// validateMinDuration keeps a stall within the lengths that cycles can have.
func (s StallsConfig) validateMinDuration() error {
	if s.MinDuration < s.MinCycle || s.MinDuration > s.MaxCycle {
		return fmt.Errorf("stalls::min_duration is %s: use %s (stalls::min_cycle) to %s (stalls::max_cycle)",
			s.MinDuration, s.MinCycle, s.MaxCycle)
	}
	return nil
}

// validateWarmUp keeps the warm-up within what is remembered, or it would never end.
func (s StallsConfig) validateWarmUp() error {
	if s.WarmUp == 0 || s.WarmUp > s.Window {
		return fmt.Errorf("stalls::warm_up is %d: use 1 to %d (stalls::window)", s.WarmUp, s.Window)
	}
	return nil
}

func (s StallsConfig) validateRatio() error {
	if !(s.Ratio >= 1 && s.Ratio <= maxStallRatio) {
		return fmt.Errorf("stalls::ratio is %v: use 1 to %d, such as 1.5", s.Ratio, maxStallRatio)
	}
	return nil
}

func (s StallsConfig) validateIntervals() error {
	if s.IdleInterval != 0 && s.IdleInterval < minTellInterval {
		return fmt.Errorf("stalls::idle_interval is %s: use at least %s, or 0 for no idle cycles", s.IdleInterval, minTellInterval)
	}
	if s.BaselineInterval != 0 && s.BaselineInterval < minTellInterval {
		return fmt.Errorf("stalls::baseline_interval is %s: use at least %s, or 0 for no baseline", s.BaselineInterval, minTellInterval)
	}
	return nil
}

func (l LimitsConfig) validate() error {
	return errors.Join(
		l.validateRing(),
		within("limits::max_processes", l.MaxProcesses, maxLimit),
		within("limits::max_threads", l.MaxThreads, maxLimit),
		within("limits::max_series", l.MaxSeries, maxLimit),
		within("limits::max_series_per_process", l.MaxSeriesPerProcess, maxLimit),
		within("limits::max_functions", l.MaxFunctions, maxLimit),
		within("limits::max_pointers", l.MaxPointers, maxLimit),
	)
}

func (l LimitsConfig) validateRing() error {
	n := l.RingBufferBytes
	if n < minRingBytes || n > maxRingBytes || bits.OnesCount32(n) != 1 {
		return fmt.Errorf("limits::ring_buffer_bytes is %d: use a power of two from %d to %d", n, minRingBytes, maxRingBytes)
	}
	return nil
}

func (f FollowWakersConfig) validate(limits LimitsConfig) error {
	if f.Enabled && (f.MaxProcesses == 0 || f.MaxProcesses > limits.MaxProcesses) {
		return fmt.Errorf("follow_wakers::max_processes is %d: use 1 to %d (limits::max_processes), or set follow_wakers::enabled to false",
			f.MaxProcesses, limits.MaxProcesses)
	}
	return nil
}

func (t TraceContextConfig) validate() error {
	if t.SharedMap && !filepath.IsAbs(t.BPFFS) {
		return fmt.Errorf("trace_context::bpf_fs is %q: use the path where a BPF file system is mounted, such as /sys/fs/bpf", t.BPFFS)
	}
	if t.Parent && !t.SharedMap && !t.ThreadContext {
		return errors.New("trace_context::parent is true, and no spans are read: set trace_context::thread_context or trace_context::shared_map to true, too")
	}
	return nil
}

func (m ErrorMode) validate() error {
	switch m {
	case ErrorModePropagate, ErrorModeDegrade:
		return nil
	default:
		return fmt.Errorf("error_mode is %q: use propagate or degrade", string(m))
	}
}

func atLeast(key string, got, least time.Duration) error {
	if got < least {
		return fmt.Errorf("%s is %s: use at least %s", key, got, least)
	}
	return nil
}

func atMost(key string, got, most time.Duration) error {
	if got > most {
		return fmt.Errorf("%s is %s: use at most %s", key, got, most)
	}
	return nil
}

func positive(key string, got time.Duration) error {
	if got <= 0 {
		return fmt.Errorf("%s is %s: use a positive duration such as 1ms", key, got)
	}
	return nil
}

func within(key string, got, most uint32) error {
	if got == 0 || got > most {
		return fmt.Errorf("%s is %d: use 1 to %d", key, got, most)
	}
	return nil
}
