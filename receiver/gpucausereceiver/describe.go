package gpucausereceiver

import (
	"cmp"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/gpucause/gpucause/internal/target"
)

const keyServiceName = "service.name"

// attributesOf returns the resource attributes of a process besides its id and
// host: what /proc says of it, and what the process itself declares in
// OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME or, where it does not there, in
// its process context, but for its identity.
func attributesOf(p *target.Process, published map[string]any) pcommon.Map {
	attributes := pcommon.NewMap()
	for key, value := range published {
		if _, text := value.(string); (text || !strings.HasPrefix(key, "service.")) && !isIdentity(key) && !isOfAnSDK(key) {
			_ = attributes.PutEmpty(key).FromRaw(value) // of one of the types that a value can have
		}
	}
	for key, value := range p.ResourceAttributes {
		if !isIdentity(key) {
			attributes.PutStr(key, value)
		}
	}
	putIdentity(attributes, p)
	putService(attributes, p)
	return attributes
}

// isOfAnSDK reports whether a key tells what made the telemetry of the process itself.
func isOfAnSDK(key string) bool { return strings.HasPrefix(key, "telemetry.") }

// isIdentity reports whether a key says which machine, process, thread or
// container something is. That is for the Linux kernel to say: a process's own
// word for it is dropped, even where the kernel says nothing.
func isIdentity(key string) bool {
	switch key {
	case "container.id", "k8s.pod.uid":
		return true
	}
	return strings.HasPrefix(key, "host.") || strings.HasPrefix(key, "process.") || strings.HasPrefix(key, "thread.")
}

func putIdentity(attributes pcommon.Map, p *target.Process) {
	attributes.PutInt("process.parent_pid", int64(p.ParentPID))
	if p.NSPID != p.PID {
		attributes.PutInt("process.vpid", int64(p.NSPID))
	}
	putText(attributes, "process.executable.name", p.Executable)
	putText(attributes, "container.id", p.ContainerID)
	putText(attributes, "k8s.pod.uid", p.PodUID)
	if len(p.CommandLine) > 0 {
		arguments := attributes.PutEmptySlice("process.command_args")
		for _, argument := range p.CommandLine {
			arguments.AppendEmpty().SetStr(argument)
		}
	}
}

// putService names the service as the process does, or else by its title.
func putService(attributes pcommon.Map, p *target.Process) {
	putText(attributes, keyServiceName, p.Service.Name)
	putText(attributes, "service.namespace", p.Service.Namespace)
	putText(attributes, "service.instance.id", p.Service.InstanceID)
	if name, ok := attributes.Get(keyServiceName); ok && name.AsString() != "" {
		return
	}
	putText(attributes, keyServiceName, cmp.Or(p.Title, p.Executable))
}

func putText(attributes pcommon.Map, key, value string) {
	if value != "" {
		attributes.PutStr(key, value)
	}
}
