package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Two traces: a launch of 3 ms with a wait of 2 ms in it, and a free of 5 ms.
const traces = `{"resourceSpans":[{"scopeSpans":[{"spans":[` +
	`{"traceId":"01000000000000000000000000000000","spanId":"0100000000000000","name":"cudaLaunchKernel",` +
	`"startTimeUnixNano":"1000000000","endTimeUnixNano":"1003000000","attributes":[{"key":"stall.summary","value":{"stringValue":"it waited"}}]},` +
	`{"traceId":"01000000000000000000000000000000","spanId":"0200000000000000","parentSpanId":"0100000000000000","name":"blocked: futex",` +
	`"startTimeUnixNano":"1000000000","endTimeUnixNano":"1002000000","attributes":[{"key":"off_cpu.kind","value":{"stringValue":"blocked"}}]},` +
	`{"traceId":"02000000000000000000000000000000","spanId":"0100000000000000","name":"cudaFree",` +
	`"startTimeUnixNano":"1000000000","endTimeUnixNano":"1005000000"}]}]}]}` + "\n"

func runOn(t *testing.T, args ...string) (string, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "traces.jsonl")
	require.NoError(t, os.WriteFile(path, []byte(traces), 0o600))
	var out strings.Builder
	err := run(append(args, "--file", path), &out)
	return out.String(), err
}

func TestRunShowsTheWorstFirst(t *testing.T) {
	out, err := runOn(t, "--top", "1")
	require.NoError(t, err)
	assert.Contains(t, out, "cudaFree")
	assert.NotContains(t, out, "cudaLaunchKernel")

	out, err = runOn(t, "--top", "1", "--by", "off-cpu")
	require.NoError(t, err)
	assert.Contains(t, out, "cudaLaunchKernel")
}

func TestRunShowsOnlyWhatMatches(t *testing.T) {
	for _, args := range [][]string{
		{"--summary-match", "it wai"},
		{"--min-depth", "2"},
		{"--require", "cudaLaunchKernel.*└─ blocked: futex"},
	} {
		out, err := runOn(t, args...)
		require.NoError(t, err, args)
		assert.Contains(t, out, "cudaLaunchKernel", args)
		assert.NotContains(t, out, "cudaFree", args)
	}
}

func TestRunShowsSentences(t *testing.T) {
	out, err := runOn(t, "--brief", "--min-depth", "2")
	require.NoError(t, err)
	assert.Equal(t, "- it waited\n", out)
}

func TestRunFailsWhereNothingIsAsRequired(t *testing.T) {
	out, err := runOn(t, "--require", "cudaFree.*blocked")
	assert.ErrorContains(t, err, "none of 2 traces")
	assert.Empty(t, out)
}

func TestRunRejectsBadFlags(t *testing.T) {
	for _, args := range [][]string{{"--by", "name"}, {"--require", "("}} {
		_, err := runOn(t, args...)
		assert.Error(t, err, args)
	}
	assert.Error(t, run(nil, nil))
}
