//go:build !linux || !(amd64 || arm64)

package capture

import (
	"context"

	"go.uber.org/zap"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/threadcontext"
)

// Session is a running capture; see the Linux implementation.
type Session struct{}

// Open returns ErrNotLinux.
func Open(context.Context, Settings, *zap.Logger) (*Session, error) { return nil, ErrNotLinux }

// Drain does nothing.
func (*Session) Drain(func(*event.Record)) error { return ErrNotLinux }

// Snapshot does nothing.
func (*Session) Snapshot() (*event.Snapshot, error) { return nil, ErrNotLinux }

// Follow does nothing.
func (*Session) Follow(event.PID) error { return ErrNotLinux }

// Program does nothing.
func (*Session) Program(event.PID) (Program, error) { return Program{}, ErrNotLinux }

// PlaceThreadContext does nothing.
func (*Session) PlaceThreadContext(Program, threadcontext.Place) error { return ErrNotLinux }

// Report is empty.
func (*Session) Report() Report { return Report{} }

// Close does nothing.
func (*Session) Close() error { return nil }
