package gpucausereceiver

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/gpucause/gpucause/internal/event"
)

// writeProcess puts process 7 into a directory that stands for /proc.
func writeProcess(t *testing.T, procPath, environ string) {
	t.Helper()
	writeProcessOf(t, procPath, "7", environ)
}

func writeProcessOf(t *testing.T, procPath, pid, environ string) {
	t.Helper()
	directory := filepath.Join(procPath, pid)
	require.NoError(t, os.MkdirAll(directory, 0o700))
	for name, text := range map[string]string{
		"stat":    pid + " (python3) S 3 7 7 0 -1 4194304 0 0 0 0 0 0 0 0 20 0 1 0 4200 0 0",
		"cmdline": "/usr/bin/engine\x00--port\x00",
		"environ": environ,
	} {
		require.NoError(t, os.WriteFile(filepath.Join(directory, name), []byte(text), 0o600))
	}
}

func TestProcessCannotClaimAnIdentity(t *testing.T) {
	procPath := t.TempDir()
	writeProcess(t, procPath, "OTEL_SERVICE_NAME=llm\x00OTEL_RESOURCE_ATTRIBUTES="+
		"process.pid=1,process.parent_pid=1,process.vpid=1,process.owner=root,host.name=evil,host.id=x,host.type=big,"+
		"container.id=fake,k8s.pod.uid=fake,thread.id=1,service.namespace=prod,k8s.pod.name=a,team=b\x00")
	p := newProcesses(procPath, host{name: "node", id: "42"}, ResourceConfig{})
	want := map[string]any{
		"host.name": "node", "host.id": "42", "process.pid": int64(7), "process.parent_pid": int64(3),
		"service.name": "llm", "service.namespace": "prod", "k8s.pod.name": "a", "team": "b",
	}

	resource := pcommon.NewResource()
	p.resource(event.ProcessID{PID: 7, Start: 1}, resource)
	assert.Equal(t, want, resource.Attributes().AsRaw(), "of metrics")

	attributes := pcommon.NewMap()
	attributes.PutStr("host.name", "node")
	attributes.PutStr("host.id", "42")
	attributes.PutInt("process.pid", 7)
	p.describe(event.ProcessID{PID: 7, Start: 1}, attributes)
	assert.Equal(t, want, attributes.AsRaw(), "of traces")
}

func TestExecutedProgramIsDescribedAnew(t *testing.T) {
	procPath, id := t.TempDir(), event.ProcessID{PID: 7, Start: 1}
	p := newProcesses(procPath, host{}, ResourceConfig{})
	name := func() string {
		attributes := pcommon.NewMap()
		p.describe(id, attributes)
		value, _ := attributes.Get("service.name")
		return value.Str()
	}
	series := func() string {
		resource := pcommon.NewResource()
		p.resource(id, resource)
		value, _ := resource.Attributes().Get("service.name")
		return value.Str()
	}
	writeProcess(t, procPath, "OTEL_SERVICE_NAME=launcher\x00")
	p.renew(id)
	assert.Equal(t, "launcher", series())

	writeProcess(t, procPath, "OTEL_SERVICE_NAME=engine\x00")
	p.renew(id)
	assert.Equal(t, "launcher", name(), "the same program")
	p.executed(id)
	assert.Equal(t, "launcher", name(), "what the old program did is told until the new one is traced")
	p.renew(id)
	assert.Equal(t, "engine", name())
	assert.Equal(t, "launcher", series(), "a series keeps its resource")

	p.executed(id)
	require.NoError(t, os.RemoveAll(filepath.Join(procPath, "7")))
	p.renew(id)
	assert.Equal(t, "engine", name(), "gone too soon")
}

func TestPublishedResourceStandsBehindTheEnvironment(t *testing.T) {
	procPath, id := t.TempDir(), event.ProcessID{PID: 7, Start: 1}
	writeProcess(t, procPath, "OTEL_RESOURCE_ATTRIBUTES=service.namespace=prod,team=a\x00")
	p := newProcesses(procPath, host{}, ResourceConfig{})
	p.renew(id)
	resource := pcommon.NewResource()
	described := func() map[string]any {
		attributes := pcommon.NewMap()
		p.describe(id, attributes)
		return attributes.AsRaw()
	}
	assert.Equal(t, "engine", described()["service.name"], "its title")
	p.publish(id, map[string]any{
		"service.name": "trainer", "service.namespace": "test", "service.instance.id": "r7", "team": "b", "deployment": "x", "replicas": int64(3),
		"process.pid": int64(1), "host.name": "evil", "container.id": "fake", "k8s.pod.uid": "fake", "thread.id": int64(1), "telemetry.sdk.name": "x",
	})
	assert.Equal(t, map[string]any{
		"process.parent_pid": int64(3), "service.name": "trainer", "service.namespace": "prod", "service.instance.id": "r7",
		"team": "a", "deployment": "x", "replicas": int64(3),
	}, described())

	p.resource(id, resource)
	p.publish(id, map[string]any{"service.name": int64(7)})
	assert.Equal(t, "engine", described()["service.name"], "it is no text")
	again := pcommon.NewResource()
	p.resource(id, again)
	assert.Equal(t, resource.Attributes().AsRaw(), again.Attributes().AsRaw(), "a series keeps its resource")

	p.publish(event.ProcessID{PID: 7, Start: 2}, map[string]any{"service.name": "of another process"})
	p.publish(event.ProcessID{PID: 8, Start: 1}, map[string]any{"service.name": "of no process"})
	assert.Equal(t, "engine", described()["service.name"])
	p.executed(id)
	p.renew(id)
	p.publish(id, nil)
	assert.NotContains(t, described(), "deployment")
}
