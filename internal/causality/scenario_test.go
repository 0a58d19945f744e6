package causality_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gpucause/gpucause/internal/causality/scenario"
)

var rewrite = flag.Bool("rewrite", false, "write what the scenarios tell into their files")

// separator ends the story; the expected chains follow it.
const separator = "---\n"

func TestScenarios(t *testing.T) {
	paths, err := filepath.Glob("../../testdata/scenarios/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) { checkScenario(t, path) })
	}
}

func checkScenario(t *testing.T, path string) {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	script, want, _ := strings.Cut(string(text), separator)
	story, err := scenario.Parse(script)
	if err != nil {
		t.Fatal(err)
	}
	got := story.Tell()
	if *rewrite {
		script = strings.TrimRight(script, "\n") + "\n\n"
		if err := os.WriteFile(path, []byte(script+separator+got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got != want {
		t.Errorf("told:\n%s\nwant:\n%s", got, want)
	}
}
