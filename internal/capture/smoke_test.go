package capture

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zaptest"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/probe"
)

func TestSmoke(t *testing.T) {
	settings := DefaultSettings()
	switch os.Getenv("MECH") {
	case "multi":
		settings.Mechanism = MechanismMulti
	case "perf":
		settings.Mechanism = MechanismPerf
	}
	s, err := Open(context.Background(), settings, zaptest.NewLogger(t))
	require.NoError(t, err)
	defer func() { a := time.Now(); require.NoError(t, s.Close()); fmt.Println("close", time.Since(a)) }()
	cmd := exec.Command("/tmp/t/t", "1000000", "600", "300")
	cmd.Stdout = os.Stdout
	require.NoError(t, cmd.Start())
	go cmd.Wait()
	end := time.Now().Add(3 * time.Second)
	for time.Now().Before(end) {
		time.Sleep(10 * time.Millisecond)
		s.Drain(func(r *event.Record) {
			switch r.Kind {
			case event.KindCall:
				c := r.Call
				fmt.Printf("call %s/%d id=%d parent=%d %s %v notable=%b res=%d blocked=%v runnable=%v n=%d args=%x\n", c.Task.Comm, c.Task.Thread.TID, c.ID, c.Parent, probe.Get(c.Probe).Symbol, c.End.Sub(c.Start), c.Notable, c.Result, c.Blocked, c.Runnable, c.Switches, c.Args)
			case event.KindOffCPU:
				o := r.OffCPU
				fmt.Printf("offcpu %s in=%d %v wake=%v %s sys=%d waker=%s/%d %d preemptor=%s stack=%x\n", o.Task.Comm, o.Call, o.End.Sub(o.Start), o.Wake.Sub(o.Start), o.Reason, o.Syscall, o.Waker.Comm, o.Waker.Thread.TID, o.WakerContext, o.Preemptor.Comm, o.Stack[:4])
			case event.KindProcess:
				fmt.Printf("process %+v\n", r.Process)
			case event.KindFunctionName:
				fmt.Printf("name %x %s\n", r.FunctionName.Handle, r.FunctionName.Name())
			}
		})
	}
	snap, err := s.Snapshot()
	require.NoError(t, err)
	for _, c := range snap.Calls {
		fmt.Printf("%s tid=%d n=%d sum=%v interrupted=%d bytes=%v final=%v\n", probe.Get(c.Probe).Symbol, c.Task.Thread.TID, c.Durations.Count(), c.Durations.Sum, c.Interrupted, c.Bytes, c.Final)
	}
	for _, c := range snap.OffCPU {
		fmt.Printf("offcpu tid=%d %v %v rq=%d %v\n", c.Task.Thread.TID, c.Time, c.Count, c.RunQueue.Count(), c.Final)
	}
	fmt.Printf("%+v %+v\n", snap.Errors, snap.Memory)
	fmt.Printf("%+v\n", s.Report())
}
