package spans

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/golden"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/pdatatest/ptracetest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/gpucause/gpucause/internal/causality"
	"github.com/gpucause/gpucause/internal/causality/scenario"
	"github.com/gpucause/gpucause/internal/collective"
	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
)

var rewrite = flag.Bool("rewrite", false, "write the traces of the scenarios as golden files")

const testdata = "../../../../testdata"

// bootedAt is when the stories' machine was booted: 2026-01-01.
const bootedAt = ktime.Offset(1767225600e9)

func TestGolden(t *testing.T) {
	for _, name := range []string{
		"lock-holder-in-file-io", "pipe-fed-by-another-process", "woken-but-no-cpu", "first-launch",
		"failing-call", "abandoned", "waker-in-its-own-call", "waker-not-traced", "number-bound", "dropped-parent",
		"stall-lock", "stall-cpu-contention", "stall-first-launch", "stall-failed", "cycle-opened-inside-a-call",
		"stall-collective-wait", "stall-collective-one-of-many", "stall-collective-attached-late",
		"collective-desynchronised", "collective-send-without-receive",
	} {
		t.Run(name, func(t *testing.T) { checkGolden(t, name) })
	}
}

func checkGolden(t *testing.T, name string) {
	got := traces(t, name, bootedAt)
	path := filepath.Join(testdata, "golden", "spans", name+".yaml")
	if *rewrite {
		if err := golden.WriteTracesToFile(path, got); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := golden.ReadTraces(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := ptracetest.CompareTraces(want, got); err != nil {
		t.Error(err)
	}
}

// traces returns the traces of a scenario, all in one batch.
func traces(t *testing.T, name string, offset ktime.Offset) ptrace.Traces {
	t.Helper()
	story := read(t, name)
	batch := builder(story).NewBatch(offset)
	story.Run(scenario.Teller{
		Chain: func(c *causality.Chain) { batch.Append(c) },
		Stall: func(s *causality.Stall) { batch.AppendStall(s) },

		Collective: func(o *collective.Operation) { batch.AppendCollective(o) },
	})
	return batch.Traces()
}

func read(t *testing.T, name string) *scenario.Story {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(testdata, "scenarios", name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	script, _, _ := strings.Cut(string(text), "---\n")
	story, err := scenario.Parse(script)
	if err != nil {
		t.Fatal(err)
	}
	return story
}

func builder(story *scenario.Story) *Builder {
	return NewBuilder(Settings{
		HostName: "node-1",
		HostID:   "4c4c4544",
		Version:  "0.0.0-test",
		Arch:     "amd64",
		Symbol:   story.Symbol,
		Resource: func(_ event.ProcessID, attributes pcommon.Map) {
			attributes.PutStr("service.name", "inference")
		},
		FunctionName: func(_ event.ProcessID, handle uint64) string {
			if handle == 0x55d0 {
				return "paged_attention"
			}
			return ""
		},
	})
}
