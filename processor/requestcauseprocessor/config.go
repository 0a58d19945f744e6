package requestcauseprocessor

import (
	"time"

	"go.opentelemetry.io/collector/component"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/group"
)

// Config is what users write under `requestcause:`. README.md documents every key.
type Config struct {
	// Mode is "join", or "resolve" for an instance that only finds and writes down
	// which processes serve a sender, for another one behind a sampler.
	Mode Mode `mapstructure:"mode"`
	// Wait is how long payloads with requests are held for stalls that come late.
	Wait time.Duration `mapstructure:"wait"`
	// Hold bounds what is held meanwhile.
	Hold HoldConfig `mapstructure:"hold"`
	// Requests says which spans are requests.
	Requests RequestsConfig `mapstructure:"requests"`
	// Stalls says which stalls are remembered, and for how long.
	Stalls StallsConfig `mapstructure:"stalls"`
	// Groups says how the processes that serve a sender are found.
	Groups GroupsConfig `mapstructure:"groups"`
	// Neighbours says what is told of other requests.
	Neighbours NeighboursConfig `mapstructure:"neighbours"`
	// Spans bounds what is appended.
	Spans SpansConfig `mapstructure:"spans"`
}

// Mode says what an instance does.
type Mode string

// Modes.
const (
	ModeJoin    Mode = "join"
	ModeResolve Mode = "resolve"
)

// HoldConfig bounds what is held.
type HoldConfig struct {
	// MaxBytes bounds the payloads that are held. From half of it on the oldest
	// leave early; what has no room passes through as it is.
	MaxBytes int64 `mapstructure:"max_bytes"`
}

// RequestsConfig says which spans are requests.
type RequestsConfig struct {
	// Defaults keeps the built-in rules, behind those in Rules.
	Defaults bool `mapstructure:"defaults"`
	// Rules are looked at in their order; the first one that matches counts.
	Rules []RuleConfig `mapstructure:"rules"`
}

// StallsConfig says which stalls are remembered.
type StallsConfig struct {
	// Kinds are the values of stall.kind that count.
	Kinds []string `mapstructure:"kinds"`
	// Retention is how long after its end a stall is remembered.
	Retention time.Duration `mapstructure:"retention"`
	// MaxBytes bounds the memory of the remembered stalls.
	MaxBytes int64 `mapstructure:"max_bytes"`
	// MaxThreads bounds the threads of which stalls are remembered.
	MaxThreads uint32 `mapstructure:"max_threads"`
	// MinOverlap is for how long a stall and a request must overlap.
	MinOverlap time.Duration `mapstructure:"min_overlap"`
}

// GroupsConfig says how the processes that serve a sender are found.
type GroupsConfig struct {
	// Evidence is what may be used.
	Evidence []group.Evidence `mapstructure:"evidence"`
	// ProcPath is where proc is mounted; empty: this machine's processes are not
	// looked at.
	ProcPath string `mapstructure:"proc_path"`
	// MaxProcesses bounds the traced processes that are remembered.
	MaxProcesses uint32 `mapstructure:"max_processes"`
}

// NeighboursConfig says what is told of other requests.
type NeighboursConfig struct {
	// Show is how many requests are named that kept the GPU busy.
	Show uint32 `mapstructure:"show"`
	// MaxRequests bounds the request spans that are remembered.
	MaxRequests uint32 `mapstructure:"max_requests"`
}

// SpansConfig bounds what is appended.
type SpansConfig struct {
	// Top is how many stalls of one request are shown.
	Top uint32 `mapstructure:"top"`
	// MaxPerSecond is the sustained rate of appended children and summaries;
	// bursts may take as many as two seconds' worth, of which one is kept for
	// summaries.
	MaxPerSecond uint32 `mapstructure:"max_per_second"`
	// MaxRequestsPerStall is how many requests the trace of one stall is linked to.
	MaxRequestsPerStall uint32 `mapstructure:"max_requests_per_stall"`
}

func createDefaultConfig() component.Config {
	return &Config{
		Mode:     ModeJoin,
		Wait:     time.Second,
		Hold:     HoldConfig{MaxBytes: 32 << 20},
		Requests: RequestsConfig{Defaults: true},
		Stalls: StallsConfig{
			Kinds:      []string{"stall", "failed"},
			Retention:  2 * time.Minute,
			MaxBytes:   64 << 20,
			MaxThreads: 4096,
			MinOverlap: 2 * time.Millisecond,
		},
		Groups: GroupsConfig{
			Evidence:     group.AllEvidence(),
			ProcPath:     "/proc",
			MaxProcesses: 4096,
		},
		Neighbours: NeighboursConfig{Show: 3, MaxRequests: 16384},
		Spans:      SpansConfig{Top: 20, MaxPerSecond: 5000, MaxRequestsPerStall: 16},
	}
}
