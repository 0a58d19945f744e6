package locate

import (
	"net/netip"
	"slices"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/process"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/window"
)

// search is one for the process that has a connection.
type search struct {
	addr  netip.AddrPort
	among process.Relatives
	round uint64 // of among
	began window.Time
	owner owner
}

// Asked has a value when there is something to Search for.
func (l *Locator) Asked() <-chan struct{} { return l.asked }

// Search finds out whose the next connection is that somebody waits for. It
// reports false where there is none. It is for one goroutine, and may take any
// time.
func (l *Locator) Search() bool {
	s := l.beginSearch()
	if s == nil {
		return false
	}
	defer l.endSearch(s) // also of a defect: then nothing was found
	pid, foreign := l.procs.Owner(s.addr, s.among)
	s.owner.connection.PID, s.owner.connection.Foreign = pid, foreign
	if r := s.among[pid]; r != nil {
		s.owner.start = r.Start
	}
	return true
}

func (l *Locator) enqueue(p *peer) {
	underWay := l.search != nil && l.search.addr == p.addr && l.search.round == l.relatives.round
	if p.queued || underWay {
		return
	}
	if len(l.queue) >= 2*maxPeers {
		l.queue = slices.DeleteFunc(l.queue, (*peer).giveUp)
	}
	p.queued = true
	l.queue = append(l.queue, p)
	select {
	case l.asked <- struct{}{}:
	default:
	}
}

// beginSearch takes the next peer that somebody waits for from the queue.
func (l *Locator) beginSearch() *search {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.queue) > 0 {
		p := l.queue[0]
		l.queue[0] = nil
		l.queue = l.queue[1:]
		if !p.giveUp() {
			p.queued = false
			l.search = &search{addr: p.addr, among: l.relatives.all, round: l.relatives.round, began: l.settings.Now()}
			return l.search
		}
	}
	return nil
}

// endSearch tells what was found. That a connection is none of a known process's
// is no answer where more may be known since, or soon.
func (l *Locator) endSearch(s *search) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.search = nil
	l.countSearch(s)
	p := l.peers[s.addr]
	if p == nil {
		return
	}
	latest := s.round == l.relatives.round
	switch {
	case l.remembers(s.owner), latest && !l.pending():
		l.answer(p, s.owner)
	case !latest:
		l.enqueue(p)
	}
}

func (l *Locator) countSearch(s *search) {
	l.stats.Peers++
	switch {
	case s.among[s.owner.connection.PID] != nil:
		l.stats.PeersFound++
	case s.owner.connection.Foreign:
		l.stats.PeersForeign++
	}
	if l.overdue(s.began) {
		l.stats.SlowSearches++
	}
}
