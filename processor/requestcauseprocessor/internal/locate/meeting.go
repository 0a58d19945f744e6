package locate

import (
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/group"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/process"
)

// Meeting is what is found of the process at a sender's end of the connection,
// from when its payload came until End. It may be used from several goroutines.
type Meeting struct {
	locator *Locator
	peer    *peer // nil where there was no room
	done    chan struct{}

	// Under the locator's lock.
	first    owner // the first process that was found, or else that it is somebody else
	answered bool
	finished bool // done is closed
}

// Meet begins to find out which process has a sender's end of the connection,
// while it is open, and waits for nothing. That it is somebody else is not found
// while there is nobody yet who it could be. The Meeting must be ended.
func (l *Locator) Meet(from process.Peer) *Meeting {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := &Meeting{locator: l, done: make(chan struct{}), peer: l.peer(from.Addr)}
	if m.peer == nil {
		m.finish()
		return m
	}
	m.peer.waiting[m] = struct{}{}
	if m.peer.fresh && l.counts(m.peer) {
		m.hear(m.peer.owner)
	} else {
		l.ask(m.peer)
	}
	if !l.pending() && (m.answered || l.search != nil && l.overdue(l.search.began)) {
		m.finish()
	}
	return m
}

// Done is closed when there is nothing more to wait for: it was found out who the
// sender is, and no look is pending, or what was to find it out is overdue.
func (m *Meeting) Done() <-chan struct{} { return m.done }

// Answered reports whether it was found out who the sender is, or that it is none
// of the processes that are known.
func (m *Meeting) Answered() bool {
	m.locator.mu.Lock()
	defer m.locator.mu.Unlock()
	return m.answered
}

// End ends the search, unless somebody else waits for it.
func (m *Meeting) End() {
	m.locator.mu.Lock()
	defer m.locator.mu.Unlock()
	if m.peer != nil {
		delete(m.peer.waiting, m)
	}
}

func (m *Meeting) hear(found owner) {
	m.answered = true
	if m.first.connection.PID == 0 && found != (owner{}) {
		m.first = found
	}
}

func (m *Meeting) finish() {
	if !m.finished {
		m.finished = true
		close(m.done)
	}
}

// at returns what is known of the process at the sender's end. The one that was
// met first counts, for the port may be another's since; that it was somebody else
// counts where nothing can be found any more.
func (l *Locator) at(m *Meeting) group.Connection {
	if l.remembers(m.first) {
		return m.first.connection
	}
	var at group.Connection
	if m.peer != nil && l.counts(m.peer) {
		at = m.peer.owner.connection
	}
	if at == (group.Connection{}) {
		at.Foreign = m.first.connection.Foreign
	}
	return at
}
