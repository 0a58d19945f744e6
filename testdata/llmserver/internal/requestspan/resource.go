package requestspan

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	"golang.org/x/sys/unix"
)

// detectors are those of OTEL_EXPERIMENTAL_RESOURCE_DETECTORS, with the keys and
// types of the Python SDK.
var detectors = map[string]func() []attribute.KeyValue{
	"process": detectProcess,
	"host":    detectHost,
	"os":      detectOS,
	"otel":    func() []attribute.KeyValue { return nil }, // the environment is always read
}

// newResource describes this process. It has no schema URL.
func newResource(ctx context.Context, version Version) (*resource.Resource, error) {
	detected, err := detect(os.Getenv("OTEL_EXPERIMENTAL_RESOURCE_DETECTORS"))
	if err != nil {
		return nil, err
	}
	environment, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("reading OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	// Of equal keys the last one counts.
	all := append(detected, version.resource()...)
	all = append(all, environment.Attributes()...)
	set := attribute.NewSet(all...)
	if !set.HasValue("service.name") {
		all = append(all, attribute.String("service.name", unknownService(&set)))
	}
	return resource.NewSchemaless(all...), nil
}

func detect(names string) ([]attribute.KeyValue, error) {
	var all []attribute.KeyValue
	for name := range strings.SplitSeq(names, ",") {
		name = strings.TrimSpace(name)
		if name == "" {
			continue
		}
		detector, known := detectors[name]
		if !known {
			return nil, fmt.Errorf("reading OTEL_EXPERIMENTAL_RESOURCE_DETECTORS: there is no detector %q: use process, host, os", name)
		}
		all = append(all, detector()...)
	}
	return all, nil
}

func unknownService(set *attribute.Set) string {
	if name, ok := set.Value("process.executable.name"); ok {
		return "unknown_service:" + name.AsString()
	}
	return "unknown_service"
}

func detectProcess() []attribute.KeyValue {
	executable := os.Args[0]
	if path, err := os.Executable(); err == nil {
		executable = path
	}
	return []attribute.KeyValue{
		attribute.String("process.runtime.description", runtime.Version()+" "+runtime.GOOS+"/"+runtime.GOARCH),
		attribute.String("process.runtime.name", runtime.Compiler),
		attribute.String("process.runtime.version", strings.TrimPrefix(runtime.Version(), "go")),
		attribute.Int("process.pid", os.Getpid()),
		attribute.String("process.executable.name", executable[strings.LastIndexByte(executable, '/')+1:]),
		attribute.String("process.executable.path", executable),
		attribute.String("process.command", os.Args[0]),
		attribute.Int("process.parent_pid", os.Getppid()),
	}
}

func detectHost() []attribute.KeyValue {
	u := uname()
	return []attribute.KeyValue{
		attribute.String("host.name", unix.ByteSliceToString(u.Nodename[:])),
		attribute.String("host.arch", unix.ByteSliceToString(u.Machine[:])),
	}
}

func detectOS() []attribute.KeyValue {
	u := uname()
	return []attribute.KeyValue{
		attribute.String("os.type", runtime.GOOS),
		attribute.String("os.version", unix.ByteSliceToString(u.Release[:])),
	}
}

func uname() unix.Utsname {
	var u unix.Utsname
	_ = unix.Uname(&u) // fails for a bad address only
	return u
}

// resource is what vLLM itself adds, and with it the SDK of that time.
func (v Version) resource() []attribute.KeyValue {
	if !v.describesProcess {
		return nil
	}
	return []attribute.KeyValue{
		attribute.String("service.instance.id", uuid.NewString()),
		attribute.String("vllm.instrumenting_module_name", "vllm.llm_engine"),
		attribute.String("vllm.process_id", strconv.Itoa(os.Getpid())),
	}
}
