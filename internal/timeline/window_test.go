package timeline

import (
	"testing"

	"github.com/gpucause/gpucause/internal/event"
)

func TestWindow(t *testing.T) {
	tl := New(Settings{IntervalsPerThread: 5})
	add(tl,
		offCPU(engine, 0, 1*ms, 2*ms), // before
		offCPU(engine, 2, 12*ms, 14*ms),
		call(engine, 2, 1, 11*ms, 15*ms),
		call(engine, 1, 0, 10*ms, 20*ms),
		offCPU(engine, 0, 21*ms, 22*ms),
		call(engine, 3, 0, 30*ms, 40*ms), // into the time after
	)
	id := event.ProcessID{PID: 100, Start: 7}
	c := tl.Window(id, engine, 5*ms, 35*ms)
	if c.Process != id || c.Record.Start != 5*ms || c.Record.End != 35*ms || c.Incomplete {
		t.Errorf("window %+v", c)
	}
	if len(c.Trees) != 2 || len(c.OffCPU) != 1 || c.Trees[1].Root.Call.ID != 3 {
		t.Fatalf("%d trees, %d intervals", len(c.Trees), len(c.OffCPU))
	}
	root := c.Trees[0].Root
	if root.Call.ID != 1 || len(root.Children) != 1 || len(root.Children[0].OffCPU) != 1 || len(root.OffCPU) != 0 {
		t.Errorf("tree %+v", root)
	}
	if c := tl.Window(id, engine, 0, 35*ms); !c.Incomplete {
		t.Error("what has been forgotten is missing")
	}
	if c := tl.Window(id, event.Thread{PID: 5, TID: 5}, 0, 35*ms); !c.Incomplete || len(c.Trees) != 0 {
		t.Error("nothing is known of that thread")
	}
}
