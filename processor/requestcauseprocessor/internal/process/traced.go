package process

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
)

// ID numbers the processes of a [Table] in the order in which they were first
// seen. An ID is never used again.
type ID uint32

// Identity is what tells one traced process from all others, as the resource of
// its spans says. It is comparable: a process number that is used again comes
// with another parent, container or name, and so is another process.
type Identity struct {
	HostID      string // of the machine, see the receiver's host.id
	HostName    string
	PID         int64 // in the host's PID namespace
	VPID        int64 // in its own PID namespace; 0 where that is the host's
	ParentPID   int64 // in the host's PID namespace
	ContainerID string
	PodUID      string
	Executable  string

	ServiceName, ServiceNamespace, ServiceInstance string
}

// Nested reports whether the process is in a PID namespace other than the host's.
func (i *Identity) Nested() bool { return i.VPID != 0 && i.VPID != i.PID }

// OwnPID returns the process's number as it sees it itself.
func (i *Identity) OwnPID() int64 {
	if i.VPID != 0 {
		return i.VPID
	}
	return i.PID
}

// Traced is one traced process.
type Traced struct {
	ID ID
	Identity
	// Resource is a copy of what its spans carry, for the spans about it.
	Resource pcommon.Map
}

// readIdentity takes the identity out of a resource of the receiver. It reports
// false where it does not say which process it is.
func readIdentity(resource pcommon.Map) (Identity, bool) {
	var i Identity
	for key, value := range resource.All() {
		if text := i.textField(key); text != nil {
			*text = textOf(value)
		} else if number := i.numberField(key); number != nil {
			*number = numberOf(value)
		}
	}
	return i, i.PID > 0 && (i.HostID != "" || i.HostName != "")
}

func (i *Identity) textField(key string) *string {
	switch key {
	case attrHostID:
		return &i.HostID
	case attrHostName:
		return &i.HostName
	case attrContainerID:
		return &i.ContainerID
	case attrPodUID:
		return &i.PodUID
	case attrExecutable:
		return &i.Executable
	case attrServiceName:
		return &i.ServiceName
	case attrServiceNamespace:
		return &i.ServiceNamespace
	case attrServiceInstance:
		return &i.ServiceInstance
	}
	return nil
}

func (i *Identity) numberField(key string) *int64 {
	switch key {
	case attrPID:
		return &i.PID
	case attrVPID:
		return &i.VPID
	case attrParentPID:
		return &i.ParentPID
	}
	return nil
}
