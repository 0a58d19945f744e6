package locate

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/group"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/process"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/window"
)

const host = "4c4c4544"

// machine is a fake proc: what is on it, how often it was looked at, and what time
// it is there.
type machine struct {
	relatives process.Relatives
	owners    map[netip.AddrPort]int64
	looks     int
	asked     int
	now       window.Time
}

func (m *machine) Relatives([]int64) (process.Relatives, bool) {
	m.looks++
	found := make(process.Relatives)
	for pid, r := range m.relatives {
		found[pid] = r
	}
	return found, true
}

func (m *machine) Owner(local netip.AddrPort, _ process.Relatives) (int64, bool) {
	m.asked++
	pid, here := m.owners[local]
	return pid, here && pid == 0
}

// tracedProcesses are what is known of them.
type tracedProcesses struct {
	all     []*process.Traced
	changes uint64
}

func (k *tracedProcesses) Traced() ([]*process.Traced, uint64) { return k.all, k.changes }
func (k *tracedProcesses) Changes() uint64                     { return k.changes }
func (k *tracedProcesses) Knows(process.ID, int64) bool        { return false }

func (k *tracedProcesses) add(pid, parent int64) {
	k.all = append(k.all, &process.Traced{
		ID: process.ID(len(k.all) + 1), Identity: process.Identity{HostID: host, PID: pid, ParentPID: parent},
	})
	k.changes++
}

// server is an API server 100 with a traced engine 101, and a connection.
func server() (*machine, *tracedProcesses, *Locator) {
	m := &machine{
		relatives: process.Relatives{
			100: {PID: 100, OwnPID: 100, Start: 1, Executable: "python"},
			101: {PID: 101, OwnPID: 101, ParentPID: 100, Start: 2, Executable: "python"},
		},
		owners: map[netip.AddrPort]int64{peerAddr: 100},
	}
	k := &tracedProcesses{}
	k.add(101, 100)
	m.now = at(0)
	return m, k, New(m.settings(host, "node-1"), m, k)
}

func (m *machine) settings(hostID, hostName string) Settings {
	return Settings{
		HostID: hostID, HostName: hostName, Evidence: group.AllEvidence(),
		Now: func() window.Time { return m.now },
	}
}

var peerAddr = netip.MustParseAddrPort("127.0.0.1:40001")

func byPeer() *process.Sender {
	return &process.Sender{Peer: process.Peer{Addr: peerAddr, SameHost: true}}
}

// met has what there is to look at and to search for looked at and searched for,
// and returns the meeting with a sender that came before.
func met(l *Locator, sender *process.Sender) *Meeting {
	l.Look()
	m := l.Meet(sender.Peer)
	for l.Search() {
	}
	return m
}

// located looks and searches first, as whoever joins may expect.
func (m *machine) located(l *Locator, sender *process.Sender, now window.Time) group.Decision {
	m.now = now
	meeting := met(l, sender)
	defer meeting.End()
	return l.Locate(sender, meeting)
}

func at(d time.Duration) window.Time { return window.Time(time.Hour + d) }

func TestDecisionsAreKept(t *testing.T) {
	m, _, l := server()
	for range 10 {
		d := m.located(l, byPeer(), at(0))
		assert.Equal(t, group.EvidencePeer, d.Evidence)
		assert.Equal(t, []process.ID{1}, d.Members)
	}
	assert.Equal(t, 1, m.looks)
	assert.Equal(t, 1, m.asked)
	assert.Equal(t, Stats{Looks: 1, Peers: 1, PeersFound: 1}, l.Stats())
}

func TestItIsLookedAgainFromTimeToTime(t *testing.T) {
	m, _, l := server()
	m.located(l, byPeer(), at(0))
	m.located(l, byPeer(), at(lookEvery-1))
	assert.Equal(t, 1, m.looks)
	delete(m.owners, peerAddr) // the connection is gone
	m.located(l, byPeer(), at(lookEvery))
	assert.Equal(t, 2, m.looks)
	assert.Equal(t, 2, m.asked)
}

func TestItIsLookedAgainForNewProcesses(t *testing.T) {
	m, k, l := server()
	other := &process.Sender{PID: 200}
	assert.Equal(t, group.Unresolved, m.located(l, other, at(0)).Outcome)
	m.relatives[200] = &process.Relative{PID: 200, OwnPID: 200, Start: 3}
	m.relatives[201] = &process.Relative{PID: 201, OwnPID: 201, ParentPID: 200, Start: 4}
	k.add(201, 200)
	assert.Equal(t, group.Resolved, m.located(l, other, at(lookPause/2)).Outcome, "by what its resource says")
	assert.Equal(t, 1, m.looks, "too soon")
	d := m.located(l, other, at(lookPause))
	assert.Equal(t, 2, m.looks)
	assert.Equal(t, []process.ID{2}, d.Members)
	m.located(l, other, at(2*lookPause))
	assert.Equal(t, 2, m.looks)
}

func TestProcessesAreRememberedBeyondTheirEnd(t *testing.T) {
	m, _, l := server()
	m.located(l, byPeer(), at(0))
	m.relatives, m.owners = process.Relatives{}, nil
	for _, later := range []time.Duration{lookEvery, 2 * lookEvery, remember} {
		d := m.located(l, byPeer(), at(later))
		assert.Equal(t, group.EvidencePeer, d.Evidence, "%s later", later)
	}
	d := m.located(l, byPeer(), at(remember+2*lookEvery))
	assert.Equal(t, group.EvidenceHost, d.Evidence, "the traced process is known still, its relatives are not")
}

func TestNumberThatIsUsedAgain(t *testing.T) {
	m, _, l := server()
	m.located(l, byPeer(), at(0))
	m.relatives[100] = &process.Relative{PID: 100, OwnPID: 100, Start: 99, Executable: "bash"}
	m.relatives[101] = &process.Relative{PID: 101, OwnPID: 101, ParentPID: 1, Start: 98, Executable: "bash"}
	assert.Equal(t, group.Unresolved, m.located(l, byPeer(), at(lookEvery)).Outcome)
}

func TestWithoutProc(t *testing.T) {
	m, k, _ := server()
	l := New(m.settings("", "node-1"), nil, k)
	assert.Equal(t, group.Unresolved, m.located(l, byPeer(), at(0)).Outcome)
	assert.Equal(t, group.EvidenceProcess, m.located(l, &process.Sender{PID: 100}, at(0)).Evidence)
	assert.Zero(t, l.Stats())
	meeting := l.Meet(byPeer().Peer)
	assert.True(t, meeting.Answered(), "there is nothing to wait for")
	meeting.End()
}

func TestForeignPeer(t *testing.T) {
	m, _, l := server()
	m.owners[peerAddr] = 0
	assert.Equal(t, group.Unresolved, m.located(l, byPeer(), at(0)).Outcome)
	assert.Equal(t, Stats{Looks: 1, Peers: 1, PeersForeign: 1}, l.Stats())
}

// TestWhoWasMetCountsWhenTheConnectionIsClosed asks again after the connection has
// been closed, and it has been looked at the processes once more.
func TestWhoWasMetCountsWhenTheConnectionIsClosed(t *testing.T) {
	const other = 200 // an API server of which nothing is traced
	for name, test := range map[string]struct {
		met     int64 // who had the connection; 0: somebody else
		since   func(*machine)
		want    group.Outcome
		by      group.Evidence
		without group.Outcome // had nobody been met
	}{
		"somebody else": {
			since: func(m *machine) { delete(m.owners, peerAddr) }, want: group.Unresolved, without: group.Resolved,
		},
		"the server": {
			met: 100, since: func(m *machine) { delete(m.owners, peerAddr) },
			want: group.Resolved, by: group.EvidencePeer, without: group.Resolved,
		},
		"the server, whose port is somebody else's since": {
			met: 100, since: func(m *machine) { m.owners[peerAddr] = 0 },
			want: group.Resolved, by: group.EvidencePeer, without: group.Unresolved,
		},
		"the server, whose number is somebody else's since": {
			met: 100, since: func(m *machine) {
				m.owners[peerAddr] = other
				m.relatives[100] = &process.Relative{PID: 100, OwnPID: 100, Start: 99, Executable: "bash"}
			},
			want: group.Unresolved, without: group.Unresolved,
		},
		"somebody else, who turned out to be the server": {
			since: func(m *machine) { m.owners[peerAddr] = 100 },
			want:  group.Resolved, by: group.EvidencePeer, without: group.Resolved,
		},
	} {
		t.Run(name, func(t *testing.T) {
			m, _, l := server()
			m.relatives[other] = &process.Relative{PID: other, OwnPID: other, Start: 3, Executable: "python"}
			m.owners[peerAddr] = test.met
			meeting := met(l, byPeer())
			test.since(m)
			assert.Equal(t, test.without, m.located(l, byPeer(), at(lookEvery)).Outcome)
			got := l.Locate(byPeer(), meeting)
			assert.Equal(t, test.want, got.Outcome)
			assert.Equal(t, test.by, got.Evidence)
		})
	}
}

// TestNobodyIsForeignBeforeProcessesAreKnown has a sender that came before the
// first stall of its server.
func TestNobodyIsForeignBeforeProcessesAreKnown(t *testing.T) {
	m, k, l := server()
	traced := k.all
	k.all, m.owners[peerAddr] = nil, 0
	meeting := met(l, byPeer())
	assert.Zero(t, m.asked)
	k.all, k.changes = traced, k.changes+1
	delete(m.owners, peerAddr)
	m.now = at(lookPause)
	l.Look()
	assert.True(t, l.Search(), "it is asked again for who waits")
	assert.Equal(t, group.EvidenceHost, l.Locate(byPeer(), meeting).Evidence)
}

func TestWhatIsKeptIsBounded(t *testing.T) {
	m, _, l := server()
	for n := range 3 * maxPeers {
		sender := byPeer()
		sender.Peer.Addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)}), uint16(n+1))
		m.located(l, sender, at(0))
		assert.LessOrEqual(t, len(l.peers), maxPeers)
		assert.LessOrEqual(t, len(l.decisions), maxDecisions)
	}
	assert.Equal(t, uint64(2*(maxPeers+maxDecisions)), l.Stats().Dropped)
}

func TestStartupIsNews(t *testing.T) {
	m, k, _ := server()
	l := New(m.settings("", ""), nil, k)
	api := process.Sender{PID: 70, HostID: host}
	assert.Equal(t, group.EvidenceHost, m.located(l, &api, at(0)).Evidence)
	l.NoteStartup([16]byte{1}, api)
	l.NoteStartup([16]byte{1}, process.Sender{PID: 101, HostID: host, Role: "engine_core"})
	assert.Equal(t, group.EvidenceStartup, m.located(l, &api, at(0)).Evidence)
}

func TestStamp(t *testing.T) {
	m, _, l := server()
	assert.Empty(t, l.Stamp(&group.Decision{}))
	d := m.located(l, byPeer(), at(0))
	assert.Equal(t, host+"/101", l.Stamp(&d))
}
