package gpucausereceiver

import (
	"context"

	"go.uber.org/zap"

	"github.com/gpucause/gpucause/internal/capture"
	"github.com/gpucause/gpucause/internal/collective"
	"github.com/gpucause/gpucause/internal/hoststub"
	"github.com/gpucause/gpucause/internal/ktime"
	"github.com/gpucause/gpucause/internal/ncclmemory"
)

func thisMachine() machine {
	const procPath = "/proc"
	return machine{
		open:             openSession,
		now:              ktime.Now,
		offset:           ktime.MeasureOffset,
		stubName:         nameStub(hoststub.NewNamer(procPath)),
		readCommunicator: readCommunicator(ncclmemory.NewReader(procPath)),
		procPath:         procPath,
	}
}

func nameStub(namer *hoststub.Namer) func(stub) (string, error) {
	return func(s stub) (string, error) { return namer.Name(s.pid, s.address) }
}

func readCommunicator(reader *ncclmemory.Reader) func(commQuestion) (collective.Read, error) {
	return func(q commQuestion) (collective.Read, error) {
		answer, err := reader.Read(ncclmemory.Question{
			PID: q.pid, Address: q.handle, Rank: q.rank, Size: q.size, Identity: q.identity,
		})
		return collective.Read{Hash: answer.Hash, Rank: answer.Rank, Size: answer.Size}, err
	}
}

func openSession(ctx context.Context, settings capture.Settings, logger *zap.Logger) (source, error) {
	session, err := capture.Open(ctx, settings, logger)
	if err != nil {
		return nil, err
	}
	return session, nil
}
