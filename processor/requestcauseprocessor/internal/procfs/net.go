package procfs

import (
	"bufio"
	"encoding/hex"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Columns of /proc/net/tcp and tcp6.
const (
	columnLocal = 1
	columnState = 3
	columnInode = 9

	established = "01"
)

// findSocket looks through a table of TCP sockets for the established
// connection with this local end, and returns its inode, or 0.
func findSocket(table io.Reader, local netip.AddrPort) uint64 {
	lines := bufio.NewScanner(table)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) <= columnInode || fields[columnState] != established {
			continue
		}
		if found, ok := parseEnd(fields[columnLocal]); ok && found == local {
			inode, err := strconv.ParseUint(fields[columnInode], 10, 64)
			if err == nil {
				return inode
			}
		}
	}
	return 0
}

// parseEnd reads "0100007F:1F90": the address in words of 32 bits in the order of
// a little-endian machine, which both supported architectures are, and the port.
func parseEnd(text string) (netip.AddrPort, bool) {
	address, port, ok := strings.Cut(text, ":")
	if !ok {
		return netip.AddrPort{}, false
	}
	raw, err := hex.DecodeString(address)
	if err != nil || len(raw)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for word := range slices.Chunk(raw, 4) {
		slices.Reverse(word)
	}
	ip, ok := netip.AddrFromSlice(raw)
	number, err := strconv.ParseUint(port, 16, 16)
	if !ok || err != nil {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(ip.Unmap(), uint16(number)), true
}

// localAddresses returns the addresses of a network: of IPv4 out of fib_trie,
// where a local one is followed by "/32 host LOCAL", and of IPv6 out of if_inet6,
// where it is the first column. Loopback and link-local ones are left out: every
// network has them.
func localAddresses(fibTrie, ifInet6 string) []netip.Addr {
	var found []netip.Addr
	add := func(ip netip.Addr) {
		if ip.IsValid() && !ip.IsLoopback() && !ip.IsLinkLocalUnicast() && !slices.Contains(found, ip) {
			found = append(found, ip)
		}
	}
	var last netip.Addr
	for line := range strings.Lines(fibTrie) {
		line = strings.TrimSpace(line)
		if text, ok := strings.CutPrefix(line, "|-- "); ok {
			last, _ = netip.ParseAddr(text)
		} else if line == "/32 host LOCAL" {
			add(last)
		}
	}
	for line := range strings.Lines(ifInet6) {
		text, _, _ := strings.Cut(line, " ")
		if raw, err := hex.DecodeString(text); err == nil {
			ip, _ := netip.AddrFromSlice(raw)
			add(ip)
		}
	}
	return found
}
