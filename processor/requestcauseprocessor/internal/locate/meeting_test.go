package locate

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/group"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/process"
)

func isDone(m *Meeting) bool {
	select {
	case <-m.Done():
		return true
	default:
		return false
	}
}

func TestMeetingWaitsForTheSearch(t *testing.T) {
	_, _, l := server()
	l.Look()
	m := l.Meet(byPeer().Peer)
	assert.False(t, isDone(m))
	assert.False(t, m.Answered())
	assert.True(t, l.Search())
	assert.True(t, isDone(m))
	assert.True(t, m.Answered())
	assert.False(t, l.Search(), "once is enough")
	again := l.Meet(byPeer().Peer)
	assert.True(t, isDone(again), "it is known")
	assert.True(t, again.Answered())
}

// TestMeetingWaitsForALookThatIsPending has a sender that is known, and one that
// none of the known processes is; either may be told otherwise by the look.
func TestMeetingWaitsForALookThatIsPending(t *testing.T) {
	m, k, l := server()
	met(l, byPeer()).End()
	other := &process.Sender{Peer: process.Peer{Addr: netip.MustParseAddrPort("127.0.0.1:40002"), SameHost: true}}
	m.owners[other.Peer.Addr] = 0
	m.relatives[201] = &process.Relative{PID: 201, OwnPID: 201, Start: 4, Executable: "python"}
	k.add(201, 1)
	m.now = at(lookPause)
	meetings := []*Meeting{l.Meet(byPeer().Peer), l.Meet(other.Peer), l.Meet(process.Peer{})}
	assert.True(t, l.Search())
	for _, one := range meetings {
		assert.False(t, isDone(one))
	}
	assert.True(t, meetings[0].Answered(), "it is known already")
	assert.False(t, meetings[1].Answered())
	m.owners[other.Peer.Addr] = 201
	l.Look()
	for l.Search() {
	}
	for _, one := range meetings {
		assert.True(t, isDone(one))
		assert.True(t, one.Answered())
	}
	assert.Equal(t, []process.ID{2}, l.Locate(other, meetings[1]).Members)
}

// TestALookDuringASearch has the process whose the connection is found by the look
// alone: the search began before, and cannot know it.
func TestALookDuringASearch(t *testing.T) {
	m, k, l := server()
	l.Look()
	m.owners[peerAddr] = 0
	meeting := l.Meet(byPeer().Peer)
	s := l.beginSearch()
	m.relatives[201] = &process.Relative{PID: 201, OwnPID: 201, Start: 4, Executable: "python"}
	k.add(201, 1)
	m.now = at(lookPause)
	l.Look()
	s.owner.connection.Foreign = true
	l.endSearch(s)
	assert.False(t, meeting.Answered(), "it is searched for again")
	m.owners[peerAddr] = 201
	assert.True(t, l.Search())
	assert.Equal(t, []process.ID{2}, l.Locate(byPeer(), meeting).Members)
}

func TestNothingIsSearchedForNobody(t *testing.T) {
	m, _, l := server()
	l.Look()
	l.Meet(byPeer().Peer).End()
	assert.False(t, l.Search())
	assert.Zero(t, m.asked)
}

func TestNoRoomForAMeeting(t *testing.T) {
	_, _, l := server()
	l.Look()
	for n := range maxPeers {
		l.Meet(process.Peer{Addr: netip.AddrPortFrom(peerAddr.Addr(), uint16(n+1))})
	}
	m := l.Meet(process.Peer{Addr: netip.MustParseAddrPort("127.0.0.2:1")})
	assert.True(t, isDone(m), "there is nothing to wait for")
	assert.False(t, m.Answered())
	assert.Equal(t, group.Unresolved, l.Locate(&process.Sender{}, m).Outcome)
	m.End()
}

// TestASearchThatDoesNotEnd has what was known before hold, and nobody wait.
func TestASearchThatDoesNotEnd(t *testing.T) {
	m, _, l := server()
	l.Look()
	first := l.Meet(byPeer().Peer)
	s := l.beginSearch()
	m.now = at(Patience)
	assert.False(t, isDone(l.Meet(byPeer().Peer)), "it is worth waiting for")
	m.now = at(Patience + 1)
	later := l.Meet(byPeer().Peer)
	assert.True(t, isDone(later))
	assert.False(t, later.Answered())
	assert.Equal(t, uint64(1), l.Stats().SlowSearches)
	assert.Equal(t, group.EvidenceHost, l.Locate(byPeer(), later).Evidence, "without the connection")

	s.owner = owner{connection: group.Connection{PID: 100}, start: 1}
	l.endSearch(s)
	assert.True(t, first.Answered())
	assert.True(t, later.Answered())
	assert.Equal(t, uint64(1), l.Stats().SlowSearches, "it counts once")
	assert.Equal(t, group.EvidencePeer, l.Locate(byPeer(), later).Evidence)
}

func TestWhatWaitsForASearchIsBounded(t *testing.T) {
	m, _, l := server()
	l.Look()
	l.Meet(byPeer().Peer)
	l.beginSearch()
	for n := range 5 * maxPeers {
		addr := netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})
		l.Meet(process.Peer{Addr: netip.AddrPortFrom(addr, 1)}).End()
		assert.LessOrEqual(t, len(l.queue), 2*maxPeers)
		assert.LessOrEqual(t, len(l.peers), maxPeers)
	}
	m.now = at(lookEvery)
	l.Look()
	m.now = at(2 * lookEvery)
	l.Look()
	assert.Len(t, l.peers, 1, "of the one that still waits")
}

// TestALookThatDoesNotEnd has a process hang after it was found, and a new one.
func TestALookThatDoesNotEnd(t *testing.T) {
	m, k, l := server()
	met(l, byPeer()).End()
	k.add(201, 1)
	m.now = at(lookEvery)
	look := l.beginLook()
	waiting := l.Meet(process.Peer{SameHost: true})
	assert.False(t, isDone(waiting))
	m.now = at(lookEvery + Patience + 1)
	assert.True(t, isDone(l.Meet(process.Peer{SameHost: true})), "nobody waits any longer")
	assert.Equal(t, uint64(1), l.Stats().SlowLooks)
	known := l.Meet(byPeer().Peer)
	assert.Equal(t, []process.ID{1}, l.Locate(byPeer(), known).Members, "what was known holds")

	look.found, look.all = process.Relatives{}, true
	l.endLook(look)
	assert.True(t, isDone(waiting))
	assert.Equal(t, uint64(1), l.Stats().SlowLooks, "it counts once")
}

// TestWhatWasFoundHoldsUntilItIsFoundAgain has a search that comes late after a look.
func TestWhatWasFoundHoldsUntilItIsFoundAgain(t *testing.T) {
	m, _, l := server()
	met(l, byPeer()).End()
	m.now = at(lookEvery)
	l.Look()
	late := l.Meet(byPeer().Peer)
	assert.False(t, late.Answered())
	assert.Equal(t, group.EvidencePeer, l.Locate(byPeer(), late).Evidence)
	late.End()
	m.now = at(2 * lookEvery)
	l.Look()
	assert.Empty(t, l.peers, "it is not kept for long")
}

// TestADefectInALook is not tried again at once, and not waited for.
func TestADefectInALook(t *testing.T) {
	_, k, _ := server()
	m := &machine{now: at(0)}
	l := New(m.settings(host, "node-1"), broken{m}, k)
	meeting := l.Meet(process.Peer{})
	assert.False(t, isDone(meeting))
	assert.Panics(t, l.Look)
	assert.True(t, isDone(meeting))
	l.Look()
	assert.Equal(t, 1, m.looks)
	assert.Equal(t, lookEvery, l.Rest())
}

// broken is a machine with a defect.
type broken struct{ *machine }

func (b broken) Relatives([]int64) (process.Relatives, bool) {
	b.looks++
	panic("a defect")
}

func TestRest(t *testing.T) {
	m, k, l := server()
	assert.Equal(t, lookPause, l.Rest(), "it is time to look")
	l.Look()
	assert.Equal(t, lookEvery, l.Rest())
	m.now = at(lookPause / 4)
	k.add(102, 100)
	assert.Equal(t, lookPause*3/4, l.Rest())
	m.now = at(lookPause)
	assert.Equal(t, lookPause, l.Rest())
}
