package tree

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"go.opentelemetry.io/collector/pdata/ptrace"
)

// Read decodes OTLP JSON, one message per line, as the Collector's file
// exporter writes it. A last line without its end is left out: its writer may
// still be at it.
func Read(r io.Reader) ([]ptrace.Traces, error) {
	var batches []ptrace.Traces
	lines := bufio.NewReader(r)
	for number := 1; ; number++ {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return batches, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading line %d: %w", number, err)
		}
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		batch, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(line)
		if err != nil {
			return nil, fmt.Errorf("decoding line %d: %w", number, err)
		}
		batches = append(batches, batch)
	}
}
