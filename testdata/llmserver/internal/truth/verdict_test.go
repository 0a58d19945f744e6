package truth

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A run of two engines: a fault at [100, 140) in the cycle [90, 150) of engine 0, a
// long cycle at [300, 330) of engine 1.
var events = []Event{
	{Type: "engine", Engine: 0},
	{Type: "fault", Engine: 0, Fault: "lock", Cause: "lock", Start: 100, End: 140, CycleStart: 90, CycleEnd: 150},
	{Type: "long_cycle", Engine: 1, Start: 300, End: 330},
	{Type: "sequence", Engine: 0, ID: "cmpl-in-0-0123abcd", Received: 60, LastToken: 120},
	{Type: "sequence", Engine: 1, ID: "cmpl-elsewhere-0-0123abcd", Received: 60, LastToken: 200},
	{Type: "sequence", Engine: 0, ID: "cmpl-edge-0-0123abcd", Received: 10, LastToken: 90},
	{Type: "sequence", Engine: 0, ID: "cmpl-before-0-0123abcd", Received: 10, LastToken: 80},
	{Type: "sequence", Engine: 1, ID: "0_cmpl-n-2-0-0123abcd", Received: 160, LastToken: 250},
	{Type: "sequence", Engine: 1, ID: "1_cmpl-n-2-0-0123abcd", Received: 160, LastToken: 310},
}

func TestVerdicts(t *testing.T) {
	requests := []Request{
		{RequestID: "in", StartUnix: 50, EndUnix: 130, Status: 200},
		{RequestID: "elsewhere", StartUnix: 50, EndUnix: 210, Status: 200},
		{RequestID: "edge", StartUnix: 5, EndUnix: 95, Status: 200},
		{RequestID: "before", StartUnix: 5, EndUnix: 85, Status: 200},
		{RequestID: "n-2", StartUnix: 155, EndUnix: 320, Status: 200},
		{RequestID: "refused", StartUnix: 100, EndUnix: 101, Status: 503},
	}
	verdicts := Verdicts(requests, events)
	require.Len(t, verdicts, len(requests))
	told := make(map[string]string)
	for _, v := range verdicts {
		told[v.RequestID] = v.Verdict
	}
	assert.Equal(t, map[string]string{
		"in":        Affected,
		"elsewhere": Disturbed, // another engine had the fault, but whoever joins need not know
		"edge":      Disturbed, // its answer was on its way when the cycle began
		"before":    Unaffected,
		"n-2":       Disturbed,
		"refused":   Failed,
	}, told)
	assert.Equal(t, []Met{{Fault: "lock", Cause: "lock", Start: 100, End: 140, CycleStart: 90, CycleEnd: 150, Overlap: 20}}, verdicts[0].Faults)
	require.Len(t, verdicts[4].LongCycles, 1)
	assert.Equal(t, int64(10), verdicts[4].LongCycles[0].Overlap)
}

func TestRequestOf(t *testing.T) {
	for sequence, request := range map[string]string{
		"cmpl-abc-0-0123abcd":        "abc",
		"7_cmpl-abc-0-0123abcd":      "abc",
		"cmpl-a-b-c-12-0123abcd":     "a-b-c",
		"cmpl-3_cmpl-x-1-0-0123abcd": "3_cmpl-x-1",
		"":                           "",
		"cmpl-abc-0":                 "",
	} {
		assert.Equal(t, request, requestOf(sequence), sequence)
	}
}

func TestAMalformedReportIsAnError(t *testing.T) {
	_, err := read[Event](strings.NewReader("{\"type\":\"fault\"}\n{\"type\":"))
	assert.ErrorContains(t, err, "line 2")
	_, err = ReadFile[Event](t.TempDir() + "/none")
	assert.ErrorContains(t, err, "opening the report")
}

func FuzzVerdicts(f *testing.F) {
	f.Add(`{"type":"sequence","id":"cmpl-a-0-0123abcd","received_unix_ns":1,"last_token_unix_ns":9}` + "\n" + `{"type":"fault","start_unix_ns":2,"end_unix_ns":5}`)
	f.Fuzz(func(t *testing.T, report string) {
		events, err := read[Event](strings.NewReader(report))
		if err != nil {
			return
		}
		for _, v := range Verdicts([]Request{{RequestID: "a", EndUnix: 10, Status: 200}}, events) {
			for _, met := range v.Faults {
				assert.Positive(t, met.Overlap)
			}
		}
	})
}
