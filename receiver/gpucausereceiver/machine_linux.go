package gpucausereceiver

import (
	"context"

	"go.uber.org/zap"

	"github.com/gpucause/gpucause/internal/capture"
	"github.com/gpucause/gpucause/internal/hoststub"
	"github.com/gpucause/gpucause/internal/ktime"
)

func thisMachine() machine {
	const procPath = "/proc"
	return machine{
		open:     openSession,
		now:      ktime.Now,
		offset:   ktime.MeasureOffset,
		stubName: hoststub.NewNamer(procPath).Name,
		procPath: procPath,
	}
}

func openSession(ctx context.Context, settings capture.Settings, logger *zap.Logger) (source, error) {
	session, err := capture.Open(ctx, settings, logger)
	if err != nil {
		return nil, err
	}
	return session, nil
}
