package locate

import (
	"net/netip"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/group"
)

// peer is what is known of whose a connection is. All senders of which the
// connection does not say the port are one peer, with the zero address: nothing
// can be searched for there, but a look may have to be waited for.
type peer struct {
	addr    netip.AddrPort
	owner   owner
	fresh   bool   // owner rests on the latest look
	round   uint64 // the look that owner rests on
	queued  bool
	waiting map[*Meeting]struct{}
}

// owner is which process has a connection. The zero owner says nothing.
type owner struct {
	connection group.Connection
	start      uint64 // of the process
}

// peer returns the peer with an address, or nil where there is no room.
func (l *Locator) peer(addr netip.AddrPort) *peer {
	if addr.Port() == 0 {
		addr = netip.AddrPort{}
	}
	if p, ok := l.peers[addr]; ok {
		return p
	}
	if len(l.peers) >= maxPeers {
		l.dropPeers()
	}
	if len(l.peers) >= maxPeers {
		return nil
	}
	p := &peer{addr: addr, waiting: make(map[*Meeting]struct{})}
	l.peers[addr] = p
	return p
}

// giveUp takes a peer that nobody waits for out of the queue, and reports whether
// it did.
func (p *peer) giveUp() bool {
	if len(p.waiting) > 0 {
		return false
	}
	p.queued = false
	return true
}

// dropPeers forgets those that nobody waits for.
func (l *Locator) dropPeers() {
	for addr, p := range l.peers {
		if len(p.waiting) == 0 {
			l.stats.Dropped++
			delete(l.peers, addr)
		}
	}
}

// ask has it found out whose a connection is. Where there is nobody whose it could
// be there is nothing to search for; a look that is pending may find somebody.
func (l *Locator) ask(p *peer) {
	switch {
	case p.addr.Port() != 0 && len(l.relatives.all) > 0:
		l.enqueue(p)
	case !l.pending():
		l.answer(p, owner{})
	}
}

// answer tells everybody who waits. Who is to wait for a look, too, is told so
// when it has ended.
func (l *Locator) answer(p *peer, found owner) {
	p.owner, p.fresh, p.round = found, true, l.relatives.round
	pending := l.pending()
	for m := range p.waiting {
		m.hear(found)
		if !pending {
			m.finish()
		}
	}
}

// counts reports whether what was found of a peer still holds: a process is
// remembered beyond the next look, that it is none of the known ones is not.
func (l *Locator) counts(p *peer) bool {
	return l.remembers(p.owner) || p.fresh && !l.pending()
}

// remembers reports whether a process was found, and is still known.
func (l *Locator) remembers(o owner) bool {
	r := l.relatives.all[o.connection.PID]
	return r != nil && r.Start == o.start
}

// askAgain is called after a look: with other processes known, the answers may be
// others. What nobody waits for is forgotten after one more look. Connections of
// processes that have ended stay as they are: they could not be found again.
func (l *Locator) askAgain() {
	for addr, p := range l.peers {
		if l.hasEnded(p) {
			l.answer(p, p.owner)
			continue
		}
		p.fresh = false
		switch {
		case len(p.waiting) > 0:
			l.ask(p)
		case p.round+1 < l.relatives.round:
			delete(l.peers, addr)
		}
	}
}

// hasEnded reports whether a peer's process was found and has ended since.
func (l *Locator) hasEnded(p *peer) bool {
	_, ended := l.relatives.ended[p.owner.connection.PID]
	return ended && p.fresh && l.remembers(p.owner)
}
