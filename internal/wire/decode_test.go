//go:build amd64 || arm64

package wire

import (
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gpucause/gpucause/bpf"
	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
)

func raw[T any](v *T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(v)), unsafe.Sizeof(*v))
}

func callRecord() *bpf.GpucauseCallRecord {
	c := &bpf.GpucauseCallRecord{
		Kind: uint32(bpf.GpucauseRecordKindRecordCall), Probe: 7, Notable: 3, Id: 11, Parent: 10,
		StartNs: 1000, EndNs: 5000, BlockedNs: 2000, RunnableNs: 300, Result: -2, Switches: 4,
		Task: bpf.GpucauseTaskRef{Tgid: 100, Tid: 101, Comm: event.MakeComm("engine")},
	}
	for i := range c.Args {
		c.Args[i] = uint64(i) + 40
	}
	return c
}

func TestDecodeCall(t *testing.T) {
	var r event.Record
	require.NoError(t, Decode(raw(callRecord()), &r))
	assert.Equal(t, event.KindCall, r.Kind)
	assert.Equal(t, event.Call{
		Task: event.Task{Thread: event.Thread{PID: 100, TID: 101}, Comm: event.MakeComm("engine")},
		ID:   11, Parent: 10, Probe: 7, Notable: event.NotableSlow | event.NotableInterrupted,
		Start: 1000, End: 5000, Result: -2, Blocked: 2000, Runnable: 300, Switches: 4,
		Args: [12]uint64{40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51},
	}, r.Call)
}

func TestDecodeOffCPU(t *testing.T) {
	o := &bpf.GpucauseOffCpuRecord{
		Kind: uint32(bpf.GpucauseRecordKindRecordOffCpu), Syscall: -1, Call: 3,
		StartNs: 10, WakeNs: 20, EndNs: 30, State: 2, Reason: uint8(event.ReasonIO), WakerContext: 3,
		Flags:     uint8(bpf.GpucauseOffCpuFlagOffCpuIoWait),
		Task:      bpf.GpucauseTaskRef{Tgid: 1, Tid: 2},
		Waker:     bpf.GpucauseTaskRef{Tgid: 3, Tid: 4},
		Preemptor: bpf.GpucauseTaskRef{Tgid: 5, Tid: 6},
	}
	o.Stack[0] = 0xffffffff81000000
	var r event.Record
	require.NoError(t, Decode(raw(o), &r))
	assert.Equal(t, event.KindOffCPU, r.Kind)
	assert.Equal(t, ktime.Time(20), r.OffCPU.Wake)
	assert.Equal(t, 20*time.Nanosecond, r.OffCPU.End.Sub(r.OffCPU.Start))
	assert.Equal(t, event.ReasonIO, r.OffCPU.Reason)
	assert.Equal(t, int32(event.NoSyscall), r.OffCPU.Syscall)
	assert.True(t, r.OffCPU.IOWait)
	assert.Equal(t, event.TID(4), r.OffCPU.Waker.Thread.TID)
	assert.Equal(t, event.WakerHardIRQ, r.OffCPU.WakerContext)
	assert.Equal(t, event.TID(6), r.OffCPU.Preemptor.Thread.TID)
	assert.Equal(t, uint64(0xffffffff81000000), r.OffCPU.Stack[0])
}

func TestDecodeFunctionName(t *testing.T) {
	f := &bpf.GpucauseFunctionNameRecord{Kind: uint32(bpf.GpucauseRecordKindRecordFunctionName), Tgid: 1, Tid: 2, Handle: 99}
	copy(f.Name[:], "_Z4gemmPf\x00rest")
	var r event.Record
	require.NoError(t, Decode(raw(f), &r))
	assert.Equal(t, "_Z4gemmPf", r.FunctionName.Name())
	assert.Equal(t, uint64(99), r.FunctionName.Handle)
}

func TestDecodeRejects(t *testing.T) {
	var r event.Record
	require.ErrorIs(t, Decode(nil, &r), ErrShort)
	require.ErrorIs(t, Decode([]byte{1, 0, 0}, &r), ErrShort)
	require.ErrorIs(t, Decode([]byte{99, 0, 0, 0}, &r), ErrKind)
	full := raw(callRecord())
	require.ErrorIs(t, Decode(full[:len(full)-1], &r), ErrShort)
}

func TestDecodeDoesNotAllocate(t *testing.T) {
	full := raw(callRecord())
	var r event.Record
	assert.Zero(t, testing.AllocsPerRun(100, func() { _ = Decode(full, &r) }))
}

func FuzzDecode(f *testing.F) {
	f.Add(raw(callRecord()))
	f.Add([]byte{2, 0, 0, 0})
	f.Fuzz(func(_ *testing.T, b []byte) {
		var r event.Record
		if Decode(b, &r) == nil {
			_ = r.FunctionName.Name()
			_ = r.Call.Task.Comm.String()
		}
	})
}

func BenchmarkDecodeCall(b *testing.B) {
	full := raw(callRecord())
	var r event.Record
	b.ReportAllocs()
	for b.Loop() {
		if err := Decode(full, &r); err != nil {
			b.Fatal(err)
		}
	}
}
