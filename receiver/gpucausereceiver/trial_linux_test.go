package gpucausereceiver

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

// maxRepeats is how often a trial is repeated at most.
const maxRepeats = 2

// trial is a test that the machine can spoil: by others of its processes, which the
// trial notices itself, or by CPUs that stand still. What it finds wrong then is kept
// to itself, and it is repeated.
type trial struct {
	testing.TB
	ctx context.Context

	mu       sync.Mutex
	wrong    []string
	spoiled  string
	cleanups []func()
}

// hold holds a trial until it finds nothing wrong, or nothing spoiled it, or has had its repeats.
func hold(t *testing.T, body func(*trial)) {
	t.Helper()
	cpus := watchCPUs(t)
	for repeats := 0; ; repeats++ {
		tr := &trial{TB: t}
		cpus.stoodStill()
		tr.run(body)
		if still := cpus.stoodStill(); still >= stoodStill {
			tr.spoil("CPUs stood still for %v", still)
		}
		if !tr.Failed() {
			return
		}
		if tr.spoiled == "" || repeats == maxRepeats {
			for _, wrong := range tr.wrong {
				t.Error(wrong)
			}
			return
		}
		t.Log("again: "+tr.spoiled+"\n", strings.Join(tr.wrong, "\n"))
	}
}

func (tr *trial) run(body func(*trial)) {
	ctx, cancel := context.WithCancel(tr.TB.Context())
	tr.ctx = ctx
	done := make(chan struct{})
	go func() { // FailNow ends it
		defer close(done)
		defer func() {
			cancel()
			for _, cleanup := range slices.Backward(tr.cleanups) {
				cleanup()
			}
		}()
		body(tr)
	}()
	<-done
}

// spoil says that what the trial finds wrong may be the machine's doing, and why.
func (tr *trial) spoil(format string, args ...any) { tr.spoiled = fmt.Sprintf(format, args...) }

func (tr *trial) Context() context.Context { return tr.ctx }
func (tr *trial) Cleanup(f func())         { tr.cleanups = append(tr.cleanups, f) }

func (tr *trial) Errorf(format string, args ...any) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.wrong = append(tr.wrong, fmt.Sprintf(format, args...))
}

func (tr *trial) Failed() bool {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return len(tr.wrong) > 0
}

func (tr *trial) Fail()                             { tr.Errorf("failed") }
func (tr *trial) FailNow()                          { tr.failNow() }
func (tr *trial) Error(args ...any)                 { tr.Errorf("%s", fmt.Sprintln(args...)) }
func (tr *trial) Fatal(args ...any)                 { tr.Error(args...); tr.failNow() }
func (tr *trial) Fatalf(format string, args ...any) { tr.Errorf(format, args...); tr.failNow() }

func (tr *trial) failNow() {
	if !tr.Failed() {
		tr.Fail()
	}
	runtime.Goexit()
}

func TestTrials(t *testing.T) {
	tries := 0
	hold(t, func(tr *trial) {
		tries++
		if tries == 1 {
			tr.Cleanup(func() { tries++ })
			tr.spoil("this was the first")
			tr.Fatal("the first is wrong")
		}
	})
	if tries != 3 {
		t.Error("one repeat, after the cleanup of the first: ", tries)
	}
}
