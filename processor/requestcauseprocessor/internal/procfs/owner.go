package procfs

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/process"
)

// Owner returns which of the relatives has the TCP connection with this local
// end. Foreign is true where the connection exists in a network that could be
// looked at, and none of them has it. Every network has loopback addresses of its
// own: those of a peer of this program are this program's network's.
func (p Proc) Owner(local netip.AddrPort, among process.Relatives) (pid int64, foreign bool) {
	own := p.netNS("self")
	for _, network := range p.networksOf(among, own) {
		if local.Addr().Unmap().IsLoopback() && network.ns != own {
			continue
		}
		inode := p.socket(network.through, local)
		if inode == 0 {
			continue
		}
		for _, member := range network.members {
			holds, certain := p.holds(member, inode)
			if holds {
				return member, false
			}
			network.certain = network.certain && certain
		}
		return 0, network.certain
	}
	return 0, false
}

// network is the relatives in one network namespace.
type network struct {
	ns      uint64
	through string // a directory of proc that shows it
	members []int64
	certain bool
}

// networksOf divides the relatives by network, and adds this program's own.
func (p Proc) networksOf(among process.Relatives, own uint64) []network {
	byNS := make(map[uint64]*network)
	for pid, r := range among {
		if r.NetNS == 0 {
			continue
		}
		n, ok := byNS[r.NetNS]
		if !ok {
			n = &network{ns: r.NetNS, through: strconv.FormatInt(pid, 10), certain: true}
			byNS[r.NetNS] = n
		}
		n.members = append(n.members, pid)
	}
	if own != 0 && byNS[own] == nil {
		byNS[own] = &network{ns: own, through: "self", certain: true}
	}
	networks := make([]network, 0, len(byNS))
	for _, n := range byNS {
		slices.Sort(n.members)
		networks = append(networks, *n)
	}
	slices.SortFunc(networks, func(a, b network) int { return int(a.ns) - int(b.ns) })
	return networks
}

// socket returns the inode of the connection with this local end, or 0.
func (p Proc) socket(through string, local netip.AddrPort) uint64 {
	for _, table := range tables(local.Addr()) {
		file, err := os.Open(filepath.Join(p.root, through, "net", table))
		if err != nil {
			continue
		}
		inode := findSocket(file, local)
		file.Close()
		if inode != 0 {
			return inode
		}
	}
	return 0
}

// tables are the files that may list a connection: IPv4 ones may be of an IPv6
// socket.
func tables(local netip.Addr) []string {
	if local.Is4() {
		return []string{"tcp", "tcp6"}
	}
	return []string{"tcp6"}
}

// holds reports whether a process has a socket open, and whether that is
// certain: whether all of what it has open could be looked at.
func (p Proc) holds(pid int64, inode uint64) (held, certain bool) {
	directory, err := os.Open(p.path(pid, "fd"))
	if err != nil {
		return false, os.IsNotExist(err)
	}
	defer directory.Close()
	names, err := directory.Readdirnames(maxDescriptors)
	for _, name := range names {
		link, err := os.Readlink(p.path(pid, "fd", name))
		if err == nil && bracketed(link, "socket:[") == inode {
			return true, true
		}
	}
	return false, err == nil && len(names) < maxDescriptors
}
