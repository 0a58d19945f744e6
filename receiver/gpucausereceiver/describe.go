package gpucausereceiver

import (
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/target"
)

// describeProcess returns the resource attributes of a process besides its id
// and host: what /proc says of it, overridden by what the process itself
// declares in OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME. They are empty
// where the process is gone.
func describeProcess(procPath string, pid event.PID, config ResourceConfig) pcommon.Map {
	attributes := pcommon.NewMap()
	p, err := target.Describe(procPath, pid, target.DescribeOptions{CommandLine: config.CommandLine})
	if err != nil {
		return attributes
	}
	for key, value := range p.ResourceAttributes {
		attributes.PutStr(key, value)
	}
	putIdentity(attributes, &p)
	putService(attributes, &p)
	return attributes
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
	name := p.Service.Name
	if name == "" {
		name = p.Title
	}
	if name == "" {
		name = p.Executable
	}
	putText(attributes, "service.name", name)
	putText(attributes, "service.namespace", p.Service.Namespace)
	putText(attributes, "service.instance.id", p.Service.InstanceID)
}

func putText(attributes pcommon.Map, key, value string) {
	if value != "" {
		attributes.PutStr(key, value)
	}
}
