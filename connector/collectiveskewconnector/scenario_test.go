package collectiveskewconnector

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/scenario"
)

var rewrite = flag.Bool("rewrite", false, "write what the scenarios tell into their files, and golden files")

// separator ends the story; the expected verdicts follow it.
const separator = "---\n"

func TestScenarios(t *testing.T) {
	for _, name := range stories(t) {
		t.Run(name, func(t *testing.T) { checkScenario(t, name) })
	}
}

func stories(t *testing.T) []string {
	paths, err := filepath.Glob(storyPath("*"))
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	names := make([]string, len(paths))
	for i, path := range paths {
		names[i] = strings.TrimSuffix(filepath.Base(path), ".txt")
	}
	return names
}

func storyPath(name string) string { return filepath.Join("testdata", "scenarios", name+".txt") }

// read returns the story of that name, and its script.
func read(t testing.TB, name string) (*scenario.Story, string) {
	t.Helper()
	text, err := os.ReadFile(storyPath(name))
	require.NoError(t, err)
	script, _, _ := strings.Cut(string(text), separator)
	story, err := scenario.Parse(script)
	require.NoError(t, err)
	return story, script
}

func checkScenario(t *testing.T, name string) {
	story, script := read(t, name)
	told := strings.TrimRight(script, "\n") + "\n\n" + separator + story.Tell()
	if *rewrite {
		require.NoError(t, os.WriteFile(storyPath(name), []byte(told), 0o644))
		return
	}
	want, err := os.ReadFile(storyPath(name))
	require.NoError(t, err)
	assert.Equal(t, string(want), told)
}
