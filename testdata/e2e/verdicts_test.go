//go:build e2e

package e2e

import (
	"bufio"
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// verdict is what really happened to a request, as the completion server and its
// client know it (testdata/llmserver, README.md).
type verdict struct {
	TraceID   string `json:"trace_id"`
	RequestID string `json:"request_id"`
	Kind      string // short, medium, long_prefill, blocker
	Verdict   string // affected, disturbed, unaffected, failed
	Faults    []fault
}

// fault is one that a request met.
type fault struct {
	Fault   string
	Cause   string // it must be told as
	Start   int64  `json:"start_unix_ns"`
	End     int64  `json:"end_unix_ns"`
	Overlap int64  `json:"overlap_ns"`
}

func verdicts(t *testing.T, path string) []verdict {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	var all []verdict
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var v verdict
		require.NoError(t, json.Unmarshal(lines.Bytes(), &v))
		all = append(all, v)
	}
	require.NoError(t, lines.Err())
	return all
}
