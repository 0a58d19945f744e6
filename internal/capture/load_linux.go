//go:build amd64 || arm64

package capture

import (
	"errors"
	"fmt"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"

	"github.com/gpucause/gpucause/bpf"
)

// The slots of the counter arrays below these numbers are shared (bpf/state.bpf.h).
const (
	sharedSeries = 256
	sharedStats  = 2
)

// verdict says whether return probes are used.
type verdict struct {
	safe   bool
	reason string // why not
}

// loadObjects loads every program and the maps for the best mechanism, of those
// wanted, with which uprobes attach here, and judges its return probes.
func loadObjects(settings Settings) (objects *bpf.GpucauseObjects, mechanism Mechanism, returns verdict, err error) {
	shared, err := sharedSpans(settings)
	if err != nil {
		return nil, 0, verdict{}, err
	}
	defer func() { _ = shared.Close() }() // the programs have it by then
	var failures []error
	for _, m := range fallbacks(settings.Mechanism) {
		objects, returns, err := loadFor(settings, m, shared)
		if err == nil {
			return objects, m, returns, nil
		}
		failures = append(failures, fmt.Errorf("%s: %w", m, err))
	}
	return nil, 0, verdict{}, fmt.Errorf("loading BPF programs: %w", errors.Join(failures...))
}

func loadFor(settings Settings, mechanism Mechanism, shared *ebpf.Map) (*bpf.GpucauseObjects, verdict, error) {
	returns, err := judgeReturnProbes(mechanism)
	if err != nil {
		return nil, verdict{}, err
	}
	spec, err := prepare(settings, mechanism)
	if err != nil {
		return nil, verdict{}, err
	}
	objects, err := load(spec, share(spec, shared))
	return objects, returns, err
}

// sharedSpans returns the shared map, or nil where none is wanted.
func sharedSpans(settings Settings) (*ebpf.Map, error) {
	if settings.SharedSpans == "" {
		return nil, nil
	}
	return openSharedSpans(settings.SharedSpans)
}

// fallbacks lists the mechanisms to try, best first.
func fallbacks(mechanism Mechanism) []Mechanism {
	if mechanism != MechanismAuto {
		return []Mechanism{mechanism}
	}
	return []Mechanism{MechanismSession, MechanismMulti, MechanismPerf}
}

func prepare(settings Settings, mechanism Mechanism) (*ebpf.CollectionSpec, error) {
	spec, err := bpf.LoadGpucause()
	if err != nil {
		return nil, fmt.Errorf("reading BPF object: %w", err)
	}
	sizeMaps(spec, settings)
	if err := setVariables(spec, settings); err != nil {
		return nil, err
	}
	chooseUprobes(spec, mechanism)
	return spec, declareSessionIsReturn(spec)
}

func sizeMaps(spec *ebpf.CollectionSpec, s Settings) {
	for name, entries := range map[string]uint32{
		"events":         s.RingBytes,
		"processes":      s.MaxProcesses,
		"series":         sharedSeries + s.MaxSeries,
		"free_series":    s.MaxSeries,
		"function_slots": functionSlots(s),
		"stats_slots":    sharedStats + s.MaxThreads,
		"free_stats":     s.MaxThreads,
		"functions":      s.MaxFunctions,
		"registered":     2 * s.MaxFunctions,
		"pointers":       s.MaxPointers,
		"communicators":  s.MaxCommunicators,
		"pairs":          2 * s.MaxCommunicators,
		"edges":          4 * s.MaxCommunicators,
		"context_places": contextPlaces(s),
	} {
		spec.Maps[name].MaxEntries = entries
	}
}

// functionSlots is the size of the table of launched functions with counters of
// their own: small where there are none.
func functionSlots(s Settings) uint32 {
	if !s.SplitFunctions {
		return 1
	}
	return s.MaxSeries
}

// contextPlaces is the size of the table of places of thread contexts.
func contextPlaces(s Settings) uint32 {
	if !s.ThreadSpans {
		return 1
	}
	return s.MaxProcesses
}

func setVariables(spec *ebpf.CollectionSpec, s Settings) error {
	prevState, err := haveSwitchState()
	if err != nil {
		return err
	}
	for name, value := range map[string]any{
		"slow_call_ns":    nanoseconds(s.SlowCall),
		"slow_sync_ns":    nanoseconds(s.SlowSync),
		"slow_off_cpu_ns": nanoseconds(s.SlowOffCPU),
		"interruption_ns": nanoseconds(s.Interruption),
		"min_cycle_ns":    nanoseconds(s.MinCycle),
		"max_cycle_ns":    nanoseconds(s.MaxCycle),
		"reason_states":   reasonStates(),
		"sample_every":    s.SampleEvery,
		"kernel_stacks":   s.KernelStacks,
		"split_functions": s.SplitFunctions,
		"shared_spans":    s.SharedSpans != "",
		"thread_spans":    s.ThreadSpans,
		"have_prev_state": prevState,
		"probe_rows":      probeRows(),
		"syscall_reasons": syscallReasons(),
		"bucket_bounds":   bucketBounds(),
	} {
		if err := spec.Variables[name].Set(value); err != nil {
			return fmt.Errorf("setting BPF variable %s: %w", name, err)
		}
	}
	return replacePreemptCount(spec.Programs["sched_waking"])
}

func nanoseconds(d time.Duration) uint64 { return uint64(max(d, 0)) }

// haveSwitchState reports whether sched_switch passes the state that the
// previous task was switched out in (Linux 5.18).
func haveSwitchState() (bool, error) {
	kernel, err := btf.LoadKernelSpec()
	if err != nil {
		return false, fmt.Errorf("%w: %w", ErrNoBTF, err)
	}
	var raw *btf.Typedef
	if err := kernel.TypeByName("btf_trace_sched_switch", &raw); err != nil {
		return false, fmt.Errorf("finding tracepoint sched_switch in BTF: %w", err)
	}
	pointer, ok := raw.Type.(*btf.Pointer)
	if !ok {
		return false, nil
	}
	prototype, ok := pointer.Target.(*btf.FuncProto)
	// The first parameter is the tracepoint's own data.
	return ok && len(prototype.Params) >= 5, nil
}

// chooseUprobes keeps the uprobe programs of one mechanism.
func chooseUprobes(spec *ebpf.CollectionSpec, mechanism Mechanism) {
	if mechanism == MechanismSession {
		delete(spec.Programs, "call_entry")
		delete(spec.Programs, "call_return")
		return
	}
	delete(spec.Programs, "call_session")
	if mechanism == MechanismPerf {
		spec.Programs["call_entry"].AttachType = ebpf.AttachNone
		spec.Programs["call_return"].AttachType = ebpf.AttachNone
	}
}

// load is LoadAndAssign for a spec from which programs may be missing. The maps
// in others' place stay theirs.
func load(spec *ebpf.CollectionSpec, others map[string]*ebpf.Map) (*bpf.GpucauseObjects, error) {
	collection, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{MapReplacements: others})
	if err != nil {
		return nil, err
	}
	defer collection.Close()
	objects := &bpf.GpucauseObjects{}
	for name, to := range programFields(&objects.GpucausePrograms) {
		*to = collection.DetachProgram(name)
	}
	if err := collection.Assign(&objects.GpucauseMaps); err != nil {
		return nil, err
	}
	if err := collection.Assign(&objects.GpucauseVariables); err != nil {
		return nil, err
	}
	return objects, nil
}

func programFields(p *bpf.GpucausePrograms) map[string]**ebpf.Program {
	return map[string]**ebpf.Program{
		"call_entry":    &p.CallEntry,
		"call_return":   &p.CallReturn,
		"call_session":  &p.CallSession,
		"sched_switch":  &p.SchedSwitch,
		"sched_waking":  &p.SchedWaking,
		"process_fork":  &p.ProcessFork,
		"process_exec":  &p.ProcessExec,
		"process_exit":  &p.ProcessExit,
		"adopt_threads": &p.AdoptThreads,
		"scan_tasks":    &p.ScanTasks,
		"scan_mappings": &p.ScanMappings,
	}
}
