package requestcauseprocessor

import (
	"net"
	"net/netip"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/process"
)

// peerOf reads the address that the Collector's receivers leave in the context.
func peerOf(addr net.Addr) process.Peer {
	switch a := addr.(type) {
	case *net.TCPAddr:
		return tcpPeer(a.AddrPort())
	case *net.IPAddr:
		ip, _ := netip.AddrFromSlice(a.IP)
		return tcpPeer(netip.AddrPortFrom(ip, 0))
	case *net.UnixAddr:
		return process.Peer{SameHost: true}
	}
	return process.Peer{}
}

func tcpPeer(addr netip.AddrPort) process.Peer {
	ip := addr.Addr().Unmap().WithZone("")
	if !ip.IsValid() {
		return process.Peer{}
	}
	return process.Peer{Addr: netip.AddrPortFrom(ip, addr.Port()), SameHost: ip.IsLoopback()}
}
