package causality_test

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gpucause/gpucause/internal/causality"
	"github.com/gpucause/gpucause/internal/causality/scenario"
)

func TestCulprits(t *testing.T) {
	for name, want := range map[string]struct {
		comm string
		time time.Duration
	}{
		"stall-lock":           {"kv-offload", 14800 * time.Microsecond},
		"stall-input-wait":     {"pt_data_worker", 33 * ms},
		"stall-cpu-contention": {"hog", 20800 * time.Microsecond},
		"stall-io":             {}, // an interrupt
		"stall-gpu-busy":       {},
		"stall-host-code":      {},
	} {
		culprit, found := onlyStall(t, name).Culprit()
		if found != (want.comm != "") || found && (culprit.Task.Comm.String() != want.comm || culprit.Time != want.time) {
			t.Errorf("%s: %v, %s for %s", name, found, culprit.Task.Comm, culprit.Time)
		}
	}
}

func onlyStall(t *testing.T, name string) *causality.Stall {
	t.Helper()
	text, err := os.ReadFile("../../testdata/scenarios/" + name + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	script, _, _ := strings.Cut(string(text), separator)
	story, err := scenario.Parse(script)
	if err != nil {
		t.Fatal(err)
	}
	var stalls []*causality.Stall
	story.Run(scenario.Teller{Stall: func(s *causality.Stall) { stalls = append(stalls, s) }})
	if len(stalls) != 1 {
		t.Fatalf("%s: %d stalls", name, len(stalls))
	}
	return stalls[0]
}

func TestStallsAreBounded(t *testing.T) {
	var script strings.Builder
	script.WriteString("process 100 start=-5s\nthread 100/101 engine\ncycle 101 #1 0ms..1ms\n")
	for n := range 1000 {
		at := 1000 + 10*n
		script.WriteString("call 101 #" + strconv.Itoa(n+1) + " cudaLaunchKernel " + strconv.Itoa(at) + "us.." + strconv.Itoa(at+1+n%7) + "us sampled\n")
	}
	script.WriteString("call 101 #2000 cudaMalloc 11999us..12000us failed result=2\ncycle 101 #2 1ms..13ms failed=1\n")
	story, err := scenario.Parse(script.String())
	if err != nil {
		t.Fatal(err)
	}
	story.Settings.MaxCycleIntervals = 100
	story.Run(scenario.Teller{Stall: func(s *causality.Stall) {
		if len(s.Children) != 100 || s.Omitted != 901 || s.Children[99].Call.ID != 2000 {
			t.Errorf("%d children, %d omitted", len(s.Children), s.Omitted)
		}
	}})
}
