//go:build amd64 || arm64

package capture

import (
	"context"

	"go.uber.org/zap"

	"github.com/gpucause/gpucause/internal/event"
)

// Session is a running capture. Drain, Snapshot and Follow are called from one
// goroutine; Report from any.
type Session struct{}

// Open checks what the machine offers, loads the programs and begins to look
// for libraries in the background. Nothing is attached when it returns an error.
func Open(context.Context, Settings, *zap.Logger) (*Session, error) { return nil, ErrNoBTF }

// Drain hands every record that is in the ring buffer to handle, without
// waiting for more. The record is valid during the call only.
func (*Session) Drain(handle func(*event.Record)) error { return nil }

// Snapshot returns the increments of all counters since the previous call.
func (*Session) Snapshot() (*event.Snapshot, error) { return nil, nil }

// Follow records the off-CPU intervals of a process that makes no CUDA calls
// itself, so that what it was doing while others waited for it can be told. It
// ends with the process. Following more than MaxProcesses returns an error.
func (*Session) Follow(event.PID) error { return nil }

// Report returns the counters of losses and of what is attached.
func (*Session) Report() Report { return Report{} }

// Close detaches every probe and frees the maps.
func (*Session) Close() error { return nil }
