package gpucausereceiver

import (
	"context"

	"go.uber.org/zap"

	"github.com/gpucause/gpucause/internal/capture"
	"github.com/gpucause/gpucause/internal/collective"
	"github.com/gpucause/gpucause/internal/hoststub"
	"github.com/gpucause/gpucause/internal/ktime"
	"github.com/gpucause/gpucause/internal/ncclmemory"
	"github.com/gpucause/gpucause/internal/processcontext"
	"github.com/gpucause/gpucause/internal/target"
	"github.com/gpucause/gpucause/internal/threadcontext"
)

func thisMachine() machine {
	const procPath = "/proc"
	return machine{
		open:             openSession,
		now:              ktime.Now,
		offset:           ktime.MeasureOffset,
		stubName:         nameStub(hoststub.NewNamer(procPath)),
		readCommunicator: readCommunicator(ncclmemory.NewReader(procPath)),
		readContext:      readContext(procPath, threadcontext.NewFinder(procPath)),
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

func readContext(procPath string, finder *threadcontext.Finder) func(contextQuestion) (contextAnswer, error) {
	return func(q contextQuestion) (contextAnswer, error) {
		var answer contextAnswer
		answer.process, answer.processErr = processcontext.Read(procPath, q.id.PID)
		if q.threads {
			answer.place, answer.placeErr = finder.Find(q.id.PID)
		}
		if !target.Is(procPath, q.id) {
			return contextAnswer{}, capture.ErrProcessGone
		}
		return answer, nil
	}
}

func openSession(ctx context.Context, settings capture.Settings, logger *zap.Logger) (source, error) {
	session, err := capture.Open(ctx, settings, logger)
	if err != nil {
		return nil, err
	}
	return session, nil
}
