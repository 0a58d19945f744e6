package causality_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/gpucause/gpucause/internal/causality"
	"github.com/gpucause/gpucause/internal/causality/scenario"
)

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
