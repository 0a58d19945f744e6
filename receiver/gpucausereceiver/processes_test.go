package gpucausereceiver

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/gpucause/gpucause/internal/event"
)

func TestProcessIsDescribedByItsOwnEnvironment(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("no proc here: ", err)
	}
	p := newProcesses("/proc", host{name: "node", id: "42"}, ResourceConfig{CommandLine: true})
	resource := pcommon.NewResource()
	p.resource(event.ProcessID{PID: event.PID(os.Getpid()), Start: 1}, resource)
	attributes := resource.Attributes().AsRaw()
	assert.Equal(t, "node", attributes["host.name"])
	assert.Equal(t, "42", attributes["host.id"])
	assert.EqualValues(t, os.Getppid(), attributes["process.parent_pid"])
	assert.NotEmpty(t, attributes["service.name"])
	assert.NotEmpty(t, attributes["process.command_args"])
}

func TestGoneProcessKeepsItsNumber(t *testing.T) {
	p := newProcesses(t.TempDir(), host{}, ResourceConfig{})
	resource := pcommon.NewResource()
	p.resource(event.ProcessID{PID: 7}, resource)
	pid, ok := resource.Attributes().Get("process.pid")
	require.True(t, ok)
	assert.EqualValues(t, 7, pid.Int())
}

func TestOverflowIsTheHosts(t *testing.T) {
	p := newProcesses(t.TempDir(), host{name: "node"}, ResourceConfig{})
	resource := pcommon.NewResource()
	p.resource(event.ProcessID{}, resource)
	_, ok := resource.Attributes().Get("process.pid")
	assert.False(t, ok)
}

func TestReusedNumberIsANewProcess(t *testing.T) {
	p := newProcesses(t.TempDir(), host{}, ResourceConfig{})
	old, renewed := event.ProcessID{PID: 7, Start: 1}, event.ProcessID{PID: 7, Start: 2}
	p.learn(old)
	p.learn(renewed)
	assert.Equal(t, old.Start, p.learn(old).start)
	assert.Equal(t, renewed.Start, p.known[7].start, "a late question about the old one changes nothing")
	p.forget(old)
	assert.Contains(t, p.known, event.PID(7), "the new owner's description stays")
	p.forget(renewed)
	assert.Empty(t, p.known)
}

func TestDescriptionsAreBounded(t *testing.T) {
	p := newProcesses(t.TempDir(), host{}, ResourceConfig{})
	for pid := range event.PID(maxDescribed + 3) {
		p.learn(event.ProcessID{PID: 1 + pid, Start: 1})
	}
	assert.Len(t, p.known, maxDescribed)
	assert.EqualValues(t, 3, p.refused)
	p.learn(event.ProcessID{PID: 1, Start: 2})
	assert.EqualValues(t, 3, p.refused, "the number's place is there already")
}
