package procfs

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/process"
)

// fakeProc is a proc in which processes have networks and connections.
type fakeProc struct {
	t    *testing.T
	root string
}

func newFakeProc(t *testing.T) fakeProc { return fakeProc{t: t, root: t.TempDir()} }

// network puts a process into a network with these connections: from the local
// end, in hexadecimal digits as in /proc/net/tcp, to the inode.
func (f fakeProc) network(who string, ns uint64, connections map[string]uint64) {
	f.t.Helper()
	f.link(fmt.Sprintf("net:[%d]", ns), who, "ns", "net")
	table := "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	for local, inode := range connections {
		table += fmt.Sprintf("   0: %s 0100007F:10DD 01 00000000:00000000 00:00000000 00000000     0        0 %d\n", local, inode)
	}
	file := filepath.Join(f.root, who, "net", "tcp")
	require.NoError(f.t, os.MkdirAll(filepath.Dir(file), 0o700))
	require.NoError(f.t, os.WriteFile(file, []byte(table), 0o600))
}

// open gives a process an open socket.
func (f fakeProc) open(pid int64, inode uint64) {
	f.t.Helper()
	f.link(fmt.Sprintf("socket:[%d]", inode), strconv.FormatInt(pid, 10), "fd", "3")
}

func (f fakeProc) link(to string, at ...string) {
	f.t.Helper()
	path := filepath.Join(append([]string{f.root}, at...)...)
	require.NoError(f.t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(f.t, os.Symlink(to, path))
}

// TestLoopbackIsThisProgramsNetworks has a server in a container that has, in its
// own network, a connection with the same local end as somebody's to here.
func TestLoopbackIsThisProgramsNetworks(t *testing.T) {
	const own, container, localEnd, podEnd = 7, 3, "0100007F:9C41", "0700F40A:9C41"
	loopback, pod := netip.MustParseAddrPort("127.0.0.1:40001"), netip.MustParseAddrPort("10.244.0.7:40001")
	among := process.Relatives{100: {PID: 100, NetNS: container}, 200: {PID: 200, NetNS: own}}
	for name, test := range map[string]struct {
		here        map[string]uint64 // connections in this program's network
		open        int64             // who has the one of these
		unreadable  bool              // this program's network
		of          netip.AddrPort
		wantPID     int64
		wantForeign bool
	}{
		"nobody's here":                {of: loopback},
		"somebody else's here":         {here: map[string]uint64{localEnd: 72}, of: loopback, wantForeign: true},
		"a relative's here":            {here: map[string]uint64{localEnd: 72}, open: 200, of: loopback, wantPID: 200},
		"the same address in IPv6":     {of: netip.MustParseAddrPort("[::ffff:127.0.0.1]:40001")},
		"it is not known which is own": {unreadable: true, of: loopback},
		"the container's own address":  {of: pod, wantPID: 100},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeProc(t)
			f.network("100", container, map[string]uint64{localEnd: 31, podEnd: 32})
			f.link("socket:[31]", "100", "fd", "4")
			f.open(100, 32)
			f.network("200", own, test.here)
			if !test.unreadable {
				f.network("self", own, test.here)
			}
			f.link("/dev/null", "200", "fd", "0")
			if test.open != 0 {
				f.open(test.open, 72)
			}
			pid, foreign := New(f.root).Owner(test.of, among)
			assert.Equal(t, test.wantPID, pid)
			assert.Equal(t, test.wantForeign, foreign)
		})
	}
}
