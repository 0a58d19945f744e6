package spans

import (
	"runtime"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
)

// ScopeName is the name of the instrumentation scope.
const ScopeName = "github.com/gpucause/gpucause/receiver/gpucausereceiver"

// Settings is what a Builder needs to know of its surroundings. The functions
// may be nil and must be deterministic for as long as a Batch lives.
type Settings struct {
	HostName string
	HostID   string // part of every trace id: unique per host
	Version  string // of the scope

	// Resource adds a process's attributes to its resource, which already has
	// host.name, host.id and process.pid.
	Resource func(process event.ProcessID, attributes pcommon.Map)
	// Symbol names a Linux kernel address, or returns "": addresses are not shown.
	Symbol func(address uint64) string
	// FunctionName names a launched function by its handle, or returns "".
	FunctionName func(process event.ProcessID, handle uint64) string

	// ActiveParent makes a root a child of the span that its thread was in, where
	// that one is recorded for all that is known. Otherwise a link leads there.
	ActiveParent bool

	Arch       string // whose system call numbers records have, as GOARCH; default this program's
	MaxThreads int    // whose previous trace is remembered, for links; default 8192
}

// Builder makes traces of chains. It is for one goroutine.
type Builder struct {
	settings Settings
	syscalls map[int32]string
	previous previousRoots
}

// NewBuilder returns a Builder.
func NewBuilder(settings Settings) *Builder {
	if settings.Arch == "" {
		settings.Arch = runtime.GOARCH
	}
	if settings.MaxThreads <= 0 {
		settings.MaxThreads = 8192
	}
	return &Builder{
		settings: settings,
		syscalls: syscallNames(settings.Arch),
		previous: newPreviousRoots(settings.MaxThreads),
	}
}

// Batch collects the traces of several chains, with one resource per process.
type Batch struct {
	builder *Builder
	offset  ktime.Offset
	traces  ptrace.Traces
	spans   map[event.ProcessID]ptrace.SpanSlice
}

// NewBatch returns an empty batch. Offset turns record times into wall time.
func (b *Builder) NewBatch(offset ktime.Offset) *Batch {
	return &Batch{
		builder: b,
		offset:  offset,
		traces:  ptrace.NewTraces(),
		spans:   make(map[event.ProcessID]ptrace.SpanSlice),
	}
}

// Traces returns what has been appended. The batch must not be used afterwards.
func (b *Batch) Traces() ptrace.Traces { return b.traces }

// SpanCount returns the number of spans appended.
func (b *Batch) SpanCount() int { return b.traces.SpanCount() }

// spansOf returns where the spans of process go.
func (b *Batch) spansOf(process event.ProcessID) ptrace.SpanSlice {
	if spans, ok := b.spans[process]; ok {
		return spans
	}
	resource := b.traces.ResourceSpans().AppendEmpty()
	b.describe(process, resource.Resource().Attributes())
	scope := resource.ScopeSpans().AppendEmpty()
	scope.Scope().SetName(ScopeName)
	scope.Scope().SetVersion(b.builder.settings.Version)
	b.spans[process] = scope.Spans()
	return scope.Spans()
}

func (b *Batch) describe(process event.ProcessID, attributes pcommon.Map) {
	settings := &b.builder.settings
	if settings.HostName != "" {
		attributes.PutStr(attrHostName, settings.HostName)
	}
	if settings.HostID != "" {
		attributes.PutStr(attrHostID, settings.HostID)
	}
	attributes.PutInt(attrPID, int64(process.PID))
	if settings.Resource != nil {
		settings.Resource(process, attributes)
	}
}

func (b *Batch) timestamp(t ktime.Time) pcommon.Timestamp {
	return pcommon.Timestamp(b.offset.UnixNano(t))
}
