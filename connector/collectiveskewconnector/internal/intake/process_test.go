package intake

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

func resource(attributes map[string]any) pcommon.Resource {
	r := pcommon.NewResource()
	_ = r.Attributes().FromRaw(attributes)
	return r
}

func TestProcessesAreShared(t *testing.T) {
	r := NewReader()
	attributes := map[string]any{"host.id": "1", "host.name": "a", "process.pid": 5}
	first := r.Process(resource(attributes))
	assert.Same(t, first, r.Process(resource(attributes)))
	attributes["process.pid"] = 6
	assert.NotSame(t, first, r.Process(resource(attributes)))
	assert.EqualValues(t, 5, first.PID)
	assert.Equal(t, "a", first.HostName)
}

func TestClocksAreHosts(t *testing.T) {
	r := NewReader()
	clock := func(id, name string) string {
		return r.Process(resource(map[string]any{"host.id": id, "host.name": name, "pod": id + name})).Clock
	}
	assert.Equal(t, clock("1", "a"), r.Process(resource(map[string]any{"host.id": "1", "host.name": "a", "process.pid": 7})).Clock)
	assert.NotEqual(t, clock("1", "a"), clock("1", "b"), "machines made from one image")
	assert.NotEqual(t, clock("1", "a"), clock("2", "a"))
	assert.Empty(t, clock("", ""))
}

func TestLongNamesOfHostsAreTheirClocks(t *testing.T) {
	r := NewReader()
	clock := func(id string) string {
		return r.Process(resource(map[string]any{"host.id": id, "host.name": strings.Repeat("n", 253)})).Clock
	}
	assert.NotEqual(t, clock("1"), clock("2"))
	assert.LessOrEqual(t, len(clock("1")), maxIdentifier)
}
