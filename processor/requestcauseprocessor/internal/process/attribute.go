package process

import (
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// Resource attributes that say who somebody is.
const (
	attrHostID           = "host.id"
	attrHostName         = "host.name"
	attrPID              = "process.pid"
	attrVPID             = "process.vpid"
	attrParentPID        = "process.parent_pid"
	attrExecutable       = "process.executable.name"
	attrContainerID      = "container.id"
	attrPodUID           = "k8s.pod.uid"
	attrPodName          = "k8s.pod.name"
	attrServiceName      = "service.name"
	attrServiceNamespace = "service.namespace"
	attrServiceInstance  = "service.instance.id"
	attrVLLMKind         = "vllm.process_kind"
)

// AttrVLLMPID is on every resource of vLLM 0.16 and later: the sender's process
// number in its own PID namespace, as a string.
const AttrVLLMPID = "vllm.process_id"

// maxText bounds the text that is kept of a resource, in bytes.
const maxText = 256

// textOf returns a string attribute, cut; anything else is no text.
func textOf(value pcommon.Value) string {
	if value.Type() != pcommon.ValueTypeStr {
		return ""
	}
	if text := value.Str(); len(text) > maxText {
		return strings.Clone(text[:maxText])
	}
	return value.Str()
}

// numberOf returns an integer, also one that was written as a string, as vLLM
// and some SDKs do. 0 is no number.
func numberOf(value pcommon.Value) int64 {
	switch value.Type() {
	case pcommon.ValueTypeInt:
		return max(value.Int(), 0)
	case pcommon.ValueTypeStr:
		n, err := strconv.ParseInt(value.Str(), 10, 64)
		if err == nil {
			return max(n, 0)
		}
	}
	return 0
}
