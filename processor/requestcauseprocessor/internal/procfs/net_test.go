package procfs

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

const (
	tcp = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:10DD 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 70001 1 0000000000000000 100 0 0 10 0
   1: 0100007F:9C41 0100007F:10DD 01 00000000:00000000 02:000005DE 00000000  1000        0 70002 2 0000000000000000 20 4 30 10 -1
   2: 0100007F:10DD 0100007F:9C41 01 00000000:00000000 02:000005DE 00000000     0        0 70003 2 0000000000000000 20 4 30 10 -1
   3: 0100007F:9C42 0100007F:10DD 06 00000000:00000000 03:000005DE 00000000     0        0 0 3 0000000000000000
`
	tcp6 = `  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0000000000000000FFFF00000200A8C0:9C41 0000000000000000FFFF00000100A8C0:10DD 01 00000000:00000000 00:00000000 00000000  1000        0 80001 1 0000000000000000 20 4 30 10 -1
   1: B80D01200000000067452301EFCDAB89:9C41 B80D0120000000000000000001000000:10DD 01 00000000:00000000 00:00000000 00000000  1000        0 80002 1 0000000000000000 20 4 30 10 -1
`
)

func TestFindSocket(t *testing.T) {
	for _, test := range []struct {
		table, local string
		want         uint64
	}{
		{tcp, "127.0.0.1:40001", 70002},
		{tcp, "127.0.0.1:4317", 70003}, // 70001 listens there
		{tcp, "127.0.0.1:40002", 0},    // closed
		{tcp, "127.0.0.2:40001", 0},
		{tcp6, "192.168.0.2:40001", 80001},
		{tcp6, "[2001:db8::123:4567:89ab:cdef]:40001", 80002},
	} {
		assert.Equal(t, test.want, findSocket(strings.NewReader(test.table), netip.MustParseAddrPort(test.local)), test.local)
	}
}

func FuzzFindSocket(f *testing.F) {
	f.Add(tcp)
	f.Add(tcp6)
	f.Add("a b c d e f g h i j\n0: :1 x 01 a b c d e 5\n0: 00:1 x 01 a b c d e 5\n")
	f.Fuzz(func(_ *testing.T, table string) {
		findSocket(strings.NewReader(table), netip.MustParseAddrPort("127.0.0.1:40001"))
		localAddresses(table, table)
		controlPath(table)
		parentIn(table)
	})
}

func TestLocalAddresses(t *testing.T) {
	trie := `Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 127.0.0.1
        /32 host LOCAL
     |-- 172.17.0.0
        /16 link UNICAST
     |-- 172.17.0.2
        /32 host LOCAL
Local:
     |-- 172.17.0.2
        /32 host LOCAL
     |-- 172.17.255.255
        /32 link BROADCAST
`
	inet6 := `00000000000000000000000000000001 01 80 10 80       lo
fe80000000000000000000fffe000001 04 40 20 80     eth0
20010db8000000000000000000000002 04 40 00 82     eth0
`
	assert.Equal(t, []netip.Addr{netip.MustParseAddr("172.17.0.2"), netip.MustParseAddr("2001:db8::2")}, localAddresses(trie, inet6))
	assert.Empty(t, localAddresses("", ""))
}

func TestControlPath(t *testing.T) {
	assert.Equal(t, "/system.slice/vllm.service", controlPath("0::/system.slice/vllm.service\n"))
	assert.Equal(t, "/docker/abc", controlPath("9:name=systemd:/\n4:memory:/docker/abc\n0::/\n"))
	assert.Equal(t, "/", controlPath("0::/\n"))
	assert.Equal(t, "/", controlPath(""))
}

func TestParentIn(t *testing.T) {
	for stat, want := range map[string]int64{
		"7 (cat) R 5 7 7 0": 5, "7 (a) b (c) S 6 7": 6, "7 (cat": 0, "": 0, "7 (x) S": 0, "7 (x) S y 1": 0,
	} {
		got, _ := parentIn(stat)
		assert.Equal(t, want, got, stat)
	}
}
