package gpucausereceiver

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gpucause/gpucause/internal/event"
)

// roomy is more names than any process may have.
const roomy = 2 * maxFunctionsPerProcess

const gemm = "_Z11gemm_kernelI6__halfLi128ELi128EEvPKT_S3_PS1_iii"

func named(handle uint64, name string) *event.FunctionName {
	record := &event.FunctionName{Thread: engineTask.Thread, Handle: handle}
	record.SetName([]byte(name))
	return record
}

func launchOf(t *testing.T, symbol string, handle uint64) *event.Call {
	call := &event.Call{Task: engineTask, Probe: probeOf(t, symbol)}
	call.Args[0] = handle
	return call
}

func TestFunctionsAreNamedReadably(t *testing.T) {
	f := newFunctions(roomy, nil)
	f.add(named(1, gemm))
	f.add(named(2, "triton_poi_fused_add_0"))
	f.add(named(3, "_Znonsense"))
	f.add(&event.FunctionName{Thread: engineTask.Thread, Handle: 4, SameAs: 1})
	f.add(named(5, strings.Repeat("x", 2000)))
	assert.Equal(t, "gemm_kernel<__half, 128, 128>", f.name(engineProcess, 1))
	assert.Equal(t, "triton_poi_fused_add_0", f.name(engineProcess, 2))
	assert.Equal(t, "_Znonsense", f.name(engineProcess, 3))
	assert.Equal(t, f.name(engineProcess, 1), f.name(engineProcess, 4), "another handle of the same function")
	assert.Equal(t, strings.Repeat("x", maxFunctionName)+"…", f.name(engineProcess, 5))
	assert.Empty(t, f.name(engineProcess, 6))
	assert.Empty(t, f.name(event.ProcessID{PID: 9}, 1))
	f.forget(engineProcess.PID)
	assert.Empty(t, f.name(engineProcess, 1))
}

func TestNamesOfOneProcessAreBounded(t *testing.T) {
	f := newFunctions(roomy, nil)
	for handle := range uint64(maxFunctionsPerProcess + 10) {
		f.add(named(handle, fmt.Sprint("f", handle)))
	}
	assert.Len(t, f.names[engineProcess.PID], maxFunctionsPerProcess)
	assert.EqualValues(t, 10, f.refused)
	f.add(named(1, "again"))
	assert.Equal(t, "again", f.name(engineProcess, 1), "a handle may be used again")
	assert.EqualValues(t, 10, f.refused)
}

func TestNamesOfAllProcessesAreBounded(t *testing.T) {
	f := newFunctions(5, nil)
	for pid := range event.PID(4) {
		for handle := range uint64(2) {
			record := named(handle, "f")
			record.Thread.PID = 1 + pid
			f.add(record)
		}
	}
	assert.Equal(t, 5, f.held)
	assert.EqualValues(t, 3, f.refused)
	assert.NotContains(t, f.names, event.PID(4), "nothing is kept of it")
	f.forget(1)
	record := named(9, "late")
	record.Thread.PID = 4
	f.add(record)
	assert.Equal(t, "late", f.name(event.ProcessID{PID: 4}, 9), "there is room again")
	for pid := range event.PID(5) {
		f.forget(pid)
	}
	assert.Zero(t, f.held)
}

// Each question reads a file of /proc: none is asked whose answer has no room.
func TestWithoutRoomNothingIsAsked(t *testing.T) {
	f := newFunctions(2, func(stub) (string, error) { return gemm, nil })
	f.add(named(1, "known"))
	f.add(&event.FunctionName{Thread: engineTask.Thread, Handle: 2, SameAs: 3})
	for range 100 {
		for handle := range uint64(5) {
			f.look(launchOf(t, "cudaLaunchKernel", 1+handle))
		}
	}
	assert.Empty(t, f.stubs.questions)
	assert.EqualValues(t, 400, f.refused, "each launch of a function that is not known")
	f.forget(engineProcess.PID)
	f.look(launchOf(t, "cudaLaunchKernel", 4))
	assert.Len(t, f.stubs.questions, 1)
}

// A process that was there before us is asked for the symbols of its host
// functions, each once, and only of launches of the runtime.
func TestUnnamedHostFunctionsAreLookedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []uint64
		f := newFunctions(roomy, func(s stub) (string, error) {
			asked = append(asked, s.address)
			if s.address == 0x20 {
				return "", errors.New("stripped")
			}
			return gemm, nil
		})
		go f.stubs.run(t.Context())
		f.add(named(0x30, "known"))
		f.add(&event.FunctionName{Thread: engineTask.Thread, Handle: 0x40, SameAs: 0x50})
		for range 3 {
			for _, handle := range []uint64{0x10, 0x20, 0x30, 0x40} {
				f.look(launchOf(t, "cudaLaunchKernel", handle))
			}
			f.look(launchOf(t, "cuLaunchKernel", 0x60))
			f.look(launchOf(t, "cudaMalloc", 0x70))
			synctest.Wait()
			f.collect()
		}
		assert.Equal(t, []uint64{0x10, 0x20, 0x50}, asked)
		assert.Equal(t, "gemm_kernel<__half, 128, 128>", f.name(engineProcess, 0x10))
		assert.Empty(t, f.name(engineProcess, 0x20))
		assert.Equal(t, "gemm_kernel<__half, 128, 128>", f.name(engineProcess, 0x40))
	})
}

// Where too many questions wait, one is asked again later; an answer for a
// process that is gone is dropped.
func TestQuestionsAreBounded(t *testing.T) {
	f := newFunctions(roomy, func(stub) (string, error) { return gemm, nil })
	for handle := range uint64(maxQuestions + 1) {
		f.look(launchOf(t, "cudaLaunchKernel", 1+handle))
	}
	assert.Len(t, f.names[engineProcess.PID], maxQuestions)
	go f.stubs.run(t.Context())
	require.Eventually(t, func() bool { return len(f.stubs.found) == maxQuestions }, time.Second, time.Millisecond)
	f.look(launchOf(t, "cudaLaunchKernel", 1+maxQuestions))
	f.forget(engineProcess.PID)
	f.collect()
	assert.Empty(t, f.names)
}
