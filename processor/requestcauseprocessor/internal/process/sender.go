package process

import (
	"net/netip"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// Peer is who sent a payload, as the connection says. The zero Peer says nothing.
type Peer struct {
	// Addr is the sender's end of the connection. Its port is 0 where only the
	// address is known, which is what OTLP over HTTP leaves.
	Addr netip.AddrPort
	// SameHost is true where the connection itself says that the sender is on
	// this machine: a Unix socket, or a loopback address.
	SameHost bool
}

// Sender is what a request span's resource and connection say of the process
// that sent it. It is comparable, so that what was found for it can be kept.
type Sender struct {
	Peer Peer
	// Stamp is what an instance in mode resolve found: see [group.Stamp].
	Stamp string

	PID         int64 // in its own PID namespace; 0 where it is not said
	HostID      string
	HostName    string // in Kubernetes the pod's
	ContainerID string
	PodUID      string

	ServiceName, ServiceNamespace, ServiceInstance string

	// Generic is true where the rules of all its requests name no server: their spans
	// may be any program's.
	Generic bool

	// Role is vLLM's process kind, engine_core or worker; empty for its API server
	// and all others.
	Role string
}

// ReadSender takes a sender out of a resource. Stamp is the name of the
// attribute with the stamp.
func ReadSender(resource pcommon.Map, peer Peer, stamp string) Sender {
	s := Sender{Peer: peer}
	var podName string
	var vllmPID int64
	for key, value := range resource.All() {
		switch key {
		case stamp:
			s.Stamp = stampOf(value)
		case attrPID:
			s.PID = numberOf(value)
		case AttrVLLMPID:
			vllmPID = numberOf(value)
		case attrVLLMKind:
			s.Role = textOf(value)
		case attrPodName:
			podName = textOf(value)
		default:
			if field := s.textField(key); field != nil {
				*field = textOf(value)
			}
		}
	}
	if s.PID == 0 {
		s.PID = vllmPID
	}
	if s.HostName == "" {
		s.HostName = podName
	}
	return s
}

func (s *Sender) textField(key string) *string {
	switch key {
	case attrHostID:
		return &s.HostID
	case attrHostName:
		return &s.HostName
	case attrContainerID:
		return &s.ContainerID
	case attrPodUID:
		return &s.PodUID
	case attrServiceName:
		return &s.ServiceName
	case attrServiceNamespace:
		return &s.ServiceNamespace
	case attrServiceInstance:
		return &s.ServiceInstance
	}
	return nil
}

// maxStamp bounds a stamp, in bytes; a longer one is none.
const maxStamp = 4096

func stampOf(value pcommon.Value) string {
	if value.Type() != pcommon.ValueTypeStr || len(value.Str()) > maxStamp {
		return ""
	}
	return value.Str()
}
