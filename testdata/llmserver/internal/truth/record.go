package truth

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
)

// Request is a line of the client's report. Times are Unix nanoseconds.
type Request struct {
	Type         string `json:"type"` // request
	Kind         string `json:"kind"` // of the workload
	TraceID      string `json:"trace_id"`
	SpanID       string `json:"span_id"` // parent of the request's spans
	RequestID    string `json:"request_id"`
	PromptTokens int    `json:"prompt_tokens"`
	MaxTokens    int    `json:"max_tokens"`
	N            int    `json:"n"`
	Logprobs     int    `json:"logprobs"`
	StartUnix    int64  `json:"start_unix_ns"`
	EndUnix      int64  `json:"end_unix_ns"`
	Status       int    `json:"status"` // HTTP; 0: no answer
	Error        string `json:"error,omitempty"`
}

// Event is a line of an engine's report: of what it has, type tells which fields.
// Times are Unix nanoseconds.
type Event struct {
	Type        string   `json:"type"` // engine, sequence, fault, long_cycle, refused
	Engine      int      `json:"engine"`
	PID         int      `json:"pid"`
	ID          string   `json:"id"`
	Fault       string   `json:"fault"`
	Cause       string   `json:"cause"`
	Start       int64    `json:"start_unix_ns"`
	End         int64    `json:"end_unix_ns"`
	CycleStart  int64    `json:"cycle_start_unix_ns"`
	CycleEnd    int64    `json:"cycle_end_unix_ns"`
	Received    int64    `json:"received_unix_ns"`
	LastToken   int64    `json:"last_token_unix_ns"`
	IdleNanosec int64    `json:"idle_ns"`
	GPUNanosec  int64    `json:"gpu_ns"`
	Running     []string `json:"running"`
	Waiting     []string `json:"waiting"`
}

// ReadFile reads a report of one JSON object per line.
func ReadFile[T any](path string) ([]T, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening the report: %w", err)
	}
	defer file.Close()
	records, err := read[T](file)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return records, nil
}

func read[T any](reader io.Reader) ([]T, error) {
	var records []T
	lines := bufio.NewScanner(reader)
	lines.Buffer(nil, 4<<20)
	for number := 1; lines.Scan(); number++ {
		var record T
		if err := json.Unmarshal(lines.Bytes(), &record); err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		records = append(records, record)
	}
	return records, lines.Err()
}
