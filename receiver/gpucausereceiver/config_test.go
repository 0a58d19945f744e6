package gpucausereceiver

import (
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"

	"github.com/gpucause/gpucause/internal/capture"
)

func load(t *testing.T, name string) (*Config, error) {
	t.Helper()
	all, err := confmaptest.LoadConf("testdata/config.yaml")
	require.NoError(t, err)
	sub, err := all.Sub(name)
	require.NoError(t, err)
	config := testConfig()
	return config, sub.Unmarshal(config)
}

func TestDefaultConfigIsValid(t *testing.T) {
	config, err := load(t, "gpucause")
	require.NoError(t, err)
	require.NoError(t, confmap.Validate(config))
	assert.Equal(t, testConfig(), config)
	assert.Equal(t, capture.DefaultSettings(), config.captureSettings())
}

func TestEveryKey(t *testing.T) {
	config, err := load(t, "gpucause/all")
	require.NoError(t, err)
	require.NoError(t, confmap.Validate(config))
	assert.Equal(t, &Config{
		Attach: AttachConfig{Mechanism: "perf", SingleStepARM64: true},
		Calls: CallsConfig{
			SlowThreshold: 2 * time.Millisecond, SyncThreshold: 20 * time.Millisecond,
			InterruptionThreshold: 50 * time.Microsecond, SampleEvery: 1000, ByFunction: true,
		},
		OffCPU: OffCPUConfig{Threshold: 5 * time.Millisecond},
		Limits: LimitsConfig{
			RingBufferBytes: 1 << 20, MaxProcesses: 10, MaxThreads: 20, MaxSeries: 30,
			MaxSeriesPerProcess: 40, MaxFunctions: 50, MaxPointers: 60,
		},
		Stalls: StallsConfig{
			Mode: StallModeAll, MinDuration: 30 * time.Millisecond, Ratio: 2.5, WarmUp: 5, Window: 50,
			IdleInterval: 2 * time.Minute, BaselineInterval: 5 * time.Minute, MinCycle: 3 * time.Millisecond, MaxCycle: 3 * time.Second,
		},
		NCCL: NCCLConfig{
			SampleEvery: 7, SlowThreshold: 3 * time.Millisecond, Timeout: 20 * time.Second, MaxCommunicators: 70,
		},
		Spans:              SpansConfig{MaxPerSecond: 100, MaxDepth: 2, MaxIntervals: 32},
		FollowWakers:       FollowWakersConfig{Enabled: true, MaxProcesses: 5},
		Resource:           ResourceConfig{CommandLine: true},
		TraceContext:       TraceContextConfig{SharedMap: true, BPFFS: "/run/bpf", ThreadContext: true, Parent: true},
		CollectionInterval: 30 * time.Second,
		DiscoveryInterval:  time.Second,
		ErrorMode:          ErrorModeDegrade,
	}, config)
	assert.Equal(t, capture.Settings{
		Mechanism: capture.MechanismPerf, SingleStepARM64: true,
		SlowCall: 2 * time.Millisecond, SlowSync: 20 * time.Millisecond, SlowOffCPU: 5 * time.Millisecond,
		Interruption: 50 * time.Microsecond, SampleEvery: 1000, SplitFunctions: true,
		MinCycle: 3 * time.Millisecond, MaxCycle: 3 * time.Second,
		RingBytes: 1 << 20, MaxProcesses: 10, MaxThreads: 20, MaxSeries: 30, MaxFunctions: 50, MaxPointers: 60,
		MaxCommunicators: 70, SharedSpans: "/run/bpf", ThreadSpans: true,
		DiscoverEvery: time.Second,
	}, config.captureSettings())
}

func TestInvalidConfigsSayWhatToWrite(t *testing.T) {
	for name, message := range map[string]string{
		"nccl_timeout": "nccl::timeout is 10ms: use at least 1s",
		"nccl_long":    "nccl::timeout is 1h0m1s: use at most 1h0m0s",
		"nccl_slow":    "nccl::slow_threshold is 0s: use a positive duration such as 1ms",
		"nccl_many":    "nccl::max_communicators is 0: use 1 to 1048576",
		"mechanism":    `attach::mechanism is "magic": use auto, session, multi or perf`,
		"interval":     "collection_interval is 10ms: use at least 1s",
		"discovery":    "discovery_interval is 0s: use at least 10ms",
		"threshold":    "calls::slow_threshold is 0s: use a positive duration such as 1ms",
		"stall_mode":   `stalls::mode is "slow": use stalls, all or off`,
		"stall_short":  "stalls::min_duration is 500µs: use 1ms (stalls::min_cycle) to 10s (stalls::max_cycle)",
		"stall_long":   "stalls::min_duration is 20s: use 1ms (stalls::min_cycle) to 10s (stalls::max_cycle)",
		"stall_ratio":  "stalls::ratio is 0.5: use 1 to 1000, such as 1.5",
		"stall_window": "stalls::window is 0: use 1 to 512",
		"warm_up":      "stalls::warm_up is 65: use 1 to 64 (stalls::window)",
		"idle":         "stalls::idle_interval is 10ms: use at least 1s, or 0 for no idle cycles",
		"baseline":     "stalls::baseline_interval is 10ms: use at least 1s, or 0 for no baseline",
		"min_cycle":    "stalls::min_cycle is 0s: use at least 10µs",
		"max_cycle":    "stalls::max_cycle is 10ms: use at least 100ms",
		"ring":         "limits::ring_buffer_bytes is 100000: use a power of two from 65536 to 1073741824",
		"limit":        "limits::max_processes is 0: use 1 to 1048576",
		"depth":        "spans::max_depth is 100: use 1 to 16",
		"followed":     "follow_wakers::max_processes is 11: use 1 to 10 (limits::max_processes), or set follow_wakers::enabled to false",
		"bpf_fs":       `trace_context::bpf_fs is "bpf": use the path where a BPF file system is mounted, such as /sys/fs/bpf`,
		"parent":       "trace_context::parent is true, and no spans are read: set trace_context::thread_context or trace_context::shared_map to true, too",
		"error_mode":   `error_mode is "ignore": use propagate or degrade`,
	} {
		t.Run(name, func(t *testing.T) {
			config, err := load(t, "gpucause/"+name)
			require.NoError(t, err)
			assert.ErrorContains(t, confmap.Validate(config), message)
		})
	}
}

func TestWakersNeedNoRoomWhenNotFollowed(t *testing.T) {
	config, err := load(t, "gpucause/not_followed")
	require.NoError(t, err)
	require.NoError(t, confmap.Validate(config))
}

func TestBaselineMayBeOff(t *testing.T) {
	config, err := load(t, "gpucause/no_baseline")
	require.NoError(t, err)
	require.NoError(t, confmap.Validate(config))
	assert.Zero(t, config.Stalls.BaselineInterval)
}

func TestUnknownKeyIsAnError(t *testing.T) {
	_, err := load(t, "gpucause/unknown")
	require.ErrorContains(t, err, "bogus")
}

func TestEveryKeyIsDocumented(t *testing.T) {
	page, err := os.ReadFile("README.md")
	require.NoError(t, err)
	for _, key := range keysOf(reflect.TypeFor[Config](), "") {
		assert.Contains(t, string(page), "| `"+key+"` |")
	}
}

func keysOf(config reflect.Type, section string) []string {
	var keys []string
	for i := range config.NumField() {
		field := config.Field(i)
		key := section + field.Tag.Get("mapstructure")
		if field.Type.Kind() == reflect.Struct {
			keys = append(keys, keysOf(field.Type, key+"::")...)
			continue
		}
		keys = append(keys, key)
	}
	return keys
}
