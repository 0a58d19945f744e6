//go:build amd64 || arm64

package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
	"unsafe"

	"github.com/gpucause/gpucause/bpf"
	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
	"github.com/gpucause/gpucause/internal/probe"
)

// Errors of Decode.
var (
	ErrShort = errors.New("record is shorter than its kind")
	ErrKind  = errors.New("record is of an unknown kind")
)

// kindSize is the size of the kind, the first member of every record.
const kindSize = 4

// Decode reads one ring-buffer record into r, without allocating. The bytes are
// those that the programs of this package's build submitted (bpf/records.h);
// anything else is an error or harmless nonsense, never a panic.
func Decode(raw []byte, r *event.Record) error {
	if len(raw) < kindSize {
		return ErrShort
	}
	switch kind := binary.NativeEndian.Uint32(raw); bpf.GpucauseRecordKind(kind) {
	case bpf.GpucauseRecordKindRecordCall:
		return decodeCall(raw, r)
	case bpf.GpucauseRecordKindRecordOffCpu:
		return decodeOffCPU(raw, r)
	case bpf.GpucauseRecordKindRecordProcess:
		return decodeProcess(raw, r)
	case bpf.GpucauseRecordKindRecordFunctionName:
		return decodeFunctionName(raw, r)
	case bpf.GpucauseRecordKindRecordCycle:
		return decodeCycle(raw, r)
	case bpf.GpucauseRecordKindRecordCommunicator:
		return decodeCommunicator(raw, r)
	case bpf.GpucauseRecordKindRecordCollective:
		return decodeCollective(raw, r)
	case bpf.GpucauseRecordKindRecordCompletion:
		return decodeCompletion(raw, r)
	default:
		return fmt.Errorf("kind %d: %w", kind, ErrKind)
	}
}

// load copies the head of raw over *to, which must hold no pointers.
func load[T any](raw []byte, to *T) error {
	size := int(unsafe.Sizeof(*to))
	if len(raw) < size {
		return ErrShort
	}
	copy(unsafe.Slice((*byte)(unsafe.Pointer(to)), size), raw)
	return nil
}

func decodeCall(raw []byte, r *event.Record) error {
	var c bpf.GpucauseCallRecord
	if err := load(raw, &c); err != nil {
		return err
	}
	r.Kind = event.KindCall
	r.Call = event.Call{
		Task:     task(&c.Task),
		ID:       c.Id,
		Parent:   c.Parent,
		Probe:    probe.ID(c.Probe),
		Notable:  event.Notable(c.Notable),
		Start:    ktime.Time(c.StartNs),
		End:      ktime.Time(c.EndNs),
		Result:   c.Result,
		Blocked:  time.Duration(c.BlockedNs),
		Runnable: time.Duration(c.RunnableNs),
		Switches: c.Switches,
		Args:     c.Args,
		Span:     span(&c.Span),
	}
	return nil
}

func decodeOffCPU(raw []byte, r *event.Record) error {
	var o bpf.GpucauseOffCpuRecord
	if err := load(raw, &o); err != nil {
		return err
	}
	r.Kind = event.KindOffCPU
	r.OffCPU = event.OffCPU{
		Task:         task(&o.Task),
		Call:         o.Call,
		Start:        ktime.Time(o.StartNs),
		Wake:         ktime.Time(o.WakeNs),
		End:          ktime.Time(o.EndNs),
		Reason:       event.OffCPUReason(o.Reason),
		State:        o.State,
		Syscall:      o.Syscall,
		IOWait:       o.Flags&uint8(bpf.GpucauseOffCpuFlagOffCpuIoWait) != 0,
		Preempted:    o.Flags&uint8(bpf.GpucauseOffCpuFlagOffCpuPreempted) != 0,
		Throttled:    o.Flags&uint8(bpf.GpucauseOffCpuFlagOffCpuThrottled) != 0,
		Waker:        task(&o.Waker),
		WakerContext: event.WakerContext(o.WakerContext),
		Preemptor:    task(&o.Preemptor),
		Stack:        o.Stack,
	}
	return nil
}

func decodeProcess(raw []byte, r *event.Record) error {
	var p bpf.GpucauseProcessRecord
	if err := load(raw, &p); err != nil {
		return err
	}
	r.Kind = event.KindProcess
	r.Process = event.ProcessChange{
		Task:  task(&p.Task),
		Kind:  event.ProcessChangeKind(p.Change),
		At:    ktime.Time(p.AtNs),
		Start: ktime.Time(p.StartBoottimeNs),
	}
	return nil
}

func decodeFunctionName(raw []byte, r *event.Record) error {
	var f bpf.GpucauseFunctionNameRecord
	if err := load(raw, &f); err != nil {
		return err
	}
	r.Kind = event.KindFunctionName
	r.FunctionName = event.FunctionName{
		Thread: event.Thread{PID: event.PID(f.Tgid), TID: event.TID(f.Tid)},
		Handle: f.Handle,
		SameAs: f.SameAs,
	}
	r.FunctionName.SetName(f.Name[:])
	return nil
}

func decodeCycle(raw []byte, r *event.Record) error {
	var c bpf.GpucauseCycleRecord
	if err := load(raw, &c); err != nil {
		return err
	}
	r.Kind = event.KindCycle
	r.Cycle = event.Cycle{
		Task:          task(&c.Task),
		ID:            c.Id,
		Start:         ktime.Time(c.StartNs),
		End:           ktime.Time(c.EndNs),
		EndedBy:       event.CycleEnd(c.EndedBy),
		Probe:         probe.ID(c.Probe),
		Launches:      c.Launches,
		FirstLaunches: c.FirstLaunches,
		Interrupted:   c.Interrupted,
		Failed:        c.Failed,
		CopiedBytes:   c.CopiedBytes,
		Span:          span(&c.Span),
	}
	for state, ns := range c.LedgerNs {
		r.Cycle.Ledger[state] = time.Duration(ns)
	}
	return nil
}

func task(t *bpf.GpucauseTaskRef) event.Task {
	return event.Task{
		Thread: event.Thread{PID: event.PID(t.Tgid), TID: event.TID(t.Tid)},
		Comm:   event.Comm(t.Comm),
	}
}

func span(s *bpf.GpucauseActiveSpan) event.ActiveSpan {
	return event.MakeActiveSpan(event.ActiveSpan{
		TraceID: s.TraceId,
		SpanID:  s.SpanId,
		Source:  event.SpanSource(s.Source),
		Flags:   s.Flags,
	})
}
