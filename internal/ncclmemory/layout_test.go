package ncclmemory

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
)

// communicator is memory with the triple at an offset, among other numbers.
func communicator(at int, k triple) []byte {
	random := rand.New(rand.NewPCG(uint64(at), uint64(k.rank)))
	memory := make([]byte, 64<<10)
	for i := 0; i+8 <= len(memory); i += 8 {
		// Small numbers, as structures are full of.
		binary.LittleEndian.PutUint32(memory[i:], random.Uint32N(16))
		binary.LittleEndian.PutUint32(memory[i+4:], random.Uint32N(16))
	}
	binary.LittleEndian.PutUint64(memory[at:], k.hash)
	binary.LittleEndian.PutUint32(memory[at+8:], uint32(k.rank))
	binary.LittleEndian.PutUint32(memory[at+12:], uint32(k.size))
	binary.LittleEndian.PutUint32(memory[at+16:], 0)
	return memory
}

// The hash that follows from the unique id leaves one place at once.
func TestThePlaceIsLearntFromAHash(t *testing.T) {
	id := make([]byte, 128)
	id[5] = 7
	var l layout
	l.learn(communicator(0x5e38, triple{hashOf(id), 3, 8}), known{rank: 3, size: 8, hash: hashOf(id)})
	at, ok := l.place()
	assert.True(t, ok)
	assert.Equal(t, 0x5e38, at)
	got, ok := tripleAt(communicator(0x5e38, triple{99, 5, 8}), at)
	assert.True(t, ok)
	assert.Equal(t, triple{99, 5, 8}, got)
}

// Without it, several communicators must leave the same place.
func TestThePlaceIsLearntFromAgreement(t *testing.T) {
	var l layout
	for rank := range 8 {
		l.learn(communicator(0x1a8, triple{uint64(rank) + 1000, rank, 8}), known{rank: rank, size: 8})
		if at, ok := l.place(); ok {
			assert.Equal(t, 0x1a8, at)
			assert.GreaterOrEqual(t, rank, enough-1)
			return
		}
	}
	t.Error("nothing was learnt of 8 ranks")
}

// The same rank over and over is no evidence.
func TestRepetitionIsNoEvidence(t *testing.T) {
	var l layout
	for range 20 {
		l.learn(communicator(0x1a8, triple{77, 0, 1}), known{rank: 0, size: 1})
	}
	_, ok := l.place()
	assert.False(t, ok)
}

// Two versions of NCCL that are taken for one agree on nothing.
func TestContradictionsLeaveNoPlace(t *testing.T) {
	var l layout
	for rank := range 8 {
		l.learn(communicator(0x1a8+0x1000*(rank%2), triple{5, rank, 8}), known{rank: rank, size: 8})
	}
	_, ok := l.place()
	assert.False(t, ok)
}

// A communicator that is not filled in yet says nothing, before and after others.
func TestMemoryThatIsNotFilledInIsNoEvidence(t *testing.T) {
	zeros := make([]byte, 64<<10)
	var l layout
	for rank := range enough {
		l.learn(zeros, known{rank: rank, size: 8})
		_, ok := l.place()
		assert.False(t, ok)
	}
	for rank := range 8 {
		l.learn(communicator(0x1a8, triple{uint64(rank) + 1000, rank, 8}), known{rank: rank, size: 8})
		l.learn(zeros, known{rank: rank, size: 8})
	}
	at, ok := l.place()
	assert.True(t, ok)
	assert.Equal(t, 0x1a8, at)
}

// What looked like a triple before there was one is forgotten when those that are
// filled in agree on another place.
func TestLearningBeginsAnew(t *testing.T) {
	var l layout
	early := make([]byte, 64<<10)
	copy(early[0x800:], communicator(0, triple{9, 0, 8})[:tripleSize])
	l.learn(early, known{rank: 0, size: 8})
	for rank := range 8 {
		l.learn(communicator(0x1a8, triple{uint64(rank) + 1000, rank, 8}), known{rank: rank, size: 8})
	}
	at, ok := l.place()
	assert.True(t, ok)
	assert.Equal(t, 0x1a8, at)
}

// A place that a hash confirmed stays unless there is something else in it.
func TestAConfirmedPlaceStaysUntilItIsContradicted(t *testing.T) {
	id := make([]byte, 128)
	id[5] = 7
	var l layout
	l.learn(communicator(0x5e38, triple{hashOf(id), 3, 8}), known{rank: 3, size: 8, hash: hashOf(id)})
	unfilled := make([]byte, 64<<10)
	copy(unfilled[0x800:], communicator(0, triple{9, 4, 8})[:tripleSize])
	l.learn(unfilled, known{rank: 4, size: 8})
	at, ok := l.place()
	assert.True(t, ok)
	assert.Equal(t, 0x5e38, at)

	other := communicator(0x5e38, triple{77, 1, 4})
	copy(other[0x1a8:], communicator(0, triple{9, 4, 8})[:tripleSize])
	l.learn(other, known{rank: 4, size: 8})
	_, ok = l.place()
	assert.False(t, ok)
	for rank := range 8 {
		l.learn(communicator(0x1a8, triple{uint64(rank) + 1000, rank, 8}), known{rank: rank, size: 8})
	}
	at, ok = l.place()
	assert.True(t, ok)
	assert.Equal(t, 0x1a8, at)
}

func TestImplausibleTriples(t *testing.T) {
	for _, k := range []triple{{0, 1, 2}, {5, 2, 2}, {5, -1, 2}, {5, 0, 0}, {5, 0, maxRanks + 1}} {
		_, ok := tripleAt(communicator(0, k), 0)
		assert.False(t, ok, "%+v", k)
	}
	_, ok := tripleAt(make([]byte, 10), 0)
	assert.False(t, ok)
}

func FuzzLearn(f *testing.F) {
	f.Add(communicator(0x1a8, triple{5, 1, 2}), 1, 2, uint64(5))
	f.Fuzz(func(t *testing.T, memory []byte, rank, size int, hash uint64) {
		var l layout
		for range enough {
			l.learn(memory, known{rank, size, hash})
		}
		if at, ok := l.place(); ok {
			got, plausible := tripleAt(memory, at)
			if !plausible || got.rank != rank || got.size != size {
				t.Fatalf("place %d has %+v", at, got)
			}
		}
	})
}
