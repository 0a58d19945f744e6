package gpucausereceiver

import (
	"context"

	"go.uber.org/zap"

	"github.com/gpucause/gpucause/internal/capture"
	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
)

// source is where records and counters come from: a [capture.Session], or a
// fake in tests. Report may be called from any goroutine, the others from the
// pipeline's only.
type source interface {
	Drain(handle func(*event.Record)) error
	Snapshot() (*event.Snapshot, error)
	Follow(event.PID) error
	Report() capture.Report
	Close() error
}

// machine is what the receiver needs of the machine it runs on.
type machine struct {
	open   func(context.Context, capture.Settings, *zap.Logger) (source, error)
	now    func() (ktime.Time, error)
	offset func() (ktime.Offset, error)
	// stubName names the host function at an address of a process; nil where none can be.
	stubName func(event.PID, uint64) (string, error)
	// procPath is where the traced processes' /proc is mounted.
	procPath string
}
