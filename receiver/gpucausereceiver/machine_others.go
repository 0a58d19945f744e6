//go:build !linux

package gpucausereceiver

import (
	"context"

	"go.uber.org/zap"

	"github.com/gpucause/gpucause/internal/capture"
	"github.com/gpucause/gpucause/internal/ktime"
)

// thisMachine cannot trace: Start returns [capture.ErrNotLinux] before the clocks are read.
func thisMachine() machine {
	return machine{
		open: func(context.Context, capture.Settings, *zap.Logger) (source, error) {
			return nil, capture.ErrNotLinux
		},
		now:    func() (ktime.Time, error) { return 0, capture.ErrNotLinux },
		offset: func() (ktime.Offset, error) { return 0, capture.ErrNotLinux },
	}
}
