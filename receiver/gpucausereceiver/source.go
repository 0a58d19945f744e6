package gpucausereceiver

import (
	"context"

	"go.uber.org/zap"

	"github.com/gpucause/gpucause/internal/capture"
	"github.com/gpucause/gpucause/internal/collective"
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
	placer
	Report() capture.Report
	Close() error
}

// machine is what the receiver needs of the machine it runs on.
type machine struct {
	open   func(context.Context, capture.Settings, *zap.Logger) (source, error)
	now    func() (ktime.Time, error)
	offset func() (ktime.Offset, error)
	// stubName names a host function; nil where none can be.
	stubName func(stub) (string, error)
	// readCommunicator reads a communicator in its process's memory; nil where none can be.
	readCommunicator func(commQuestion) (collective.Read, error)
	// readContext reads what a process publishes; nil where nothing can be. Its error
	// says that the process is gone.
	readContext func(contextQuestion) (contextAnswer, error)
	// procPath is where the traced processes' /proc is mounted.
	procPath string
}
