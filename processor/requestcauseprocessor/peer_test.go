package requestcauseprocessor

import (
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/process"
)

func TestPeers(t *testing.T) {
	tcp := func(s string) net.Addr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(s)) }
	for _, test := range []struct {
		addr net.Addr
		want process.Peer
	}{
		{nil, process.Peer{}},
		{tcp("10.0.0.7:4711"), process.Peer{Addr: netip.MustParseAddrPort("10.0.0.7:4711")}},
		{tcp("[::ffff:127.0.0.1]:80"), process.Peer{Addr: netip.MustParseAddrPort("127.0.0.1:80"), SameHost: true}},
		{tcp("[fe80::1%eth0]:80"), process.Peer{Addr: netip.MustParseAddrPort("[fe80::1]:80")}},
		{&net.IPAddr{IP: net.ParseIP("10.0.0.7")}, process.Peer{Addr: netip.MustParseAddrPort("10.0.0.7:0")}},
		{&net.IPAddr{}, process.Peer{}},
		{&net.TCPAddr{}, process.Peer{}},
		{&net.UnixAddr{Name: "@", Net: "unix"}, process.Peer{SameHost: true}},
	} {
		assert.Equal(t, test.want, peerOf(test.addr))
	}
}
