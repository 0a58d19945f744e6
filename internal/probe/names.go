package probe

var classNames = [...]string{
	ClassUnspecified: "unspecified",
	ClassLaunch:      "launch",
	ClassSync:        "sync",
	ClassMemcpy:      "memcpy",
	ClassMemory:      "memory",
	ClassModuleLoad:  "module_load",
	ClassCollective:  "collective",
	ClassOther:       "other",
}

// String returns the value of the attribute cuda.call.class.
func (c Class) String() string {
	if int(c) >= len(classNames) {
		return classNames[ClassUnspecified]
	}
	return classNames[c]
}

// String returns the value of the attribute cuda.layer.
func (l Layer) String() string {
	switch l {
	case LayerRuntime:
		return "runtime"
	case LayerDriver:
		return "driver"
	case LayerNCCL:
		return "nccl"
	default:
		return "unspecified"
	}
}

var memcpyKindNames = [MemcpyKinds]string{
	MemcpyHostToHost:     "host_to_host",
	MemcpyHostToDevice:   "host_to_device",
	MemcpyDeviceToHost:   "device_to_host",
	MemcpyDeviceToDevice: "device_to_device",
	MemcpyDefault:        "default",
}

// String returns the value of the attribute cuda.memcpy.kind. A value that
// enum cudaMemcpyKind does not have is "unknown".
func (k MemcpyKind) String() string {
	if k >= MemcpyKinds {
		return "unknown"
	}
	return memcpyKindNames[k]
}
