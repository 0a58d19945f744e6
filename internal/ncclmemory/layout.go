package ncclmemory

import (
	"encoding/binary"
	"slices"
)

const (
	// window is how much of a communicator is looked at, in bytes: in NCCL 2.18 to
	// 2.30 the members are behind the channels, within the first few 100 KB.
	window = 512 << 10
	// tripleSize is the size of struct ncclComm's contiguous members uint64_t
	// commHash, int rank, int nRanks, int cudaDev.
	tripleSize = 8 + 4 + 4 + 4
	// maxRanks and maxDevices are what is plausible.
	maxRanks   = 1 << 20
	maxDevices = 1 << 10
	// enough is how many communicators of different ranks or sizes must agree on a
	// place that no hash confirms.
	enough = 3
)

// layout is what is known of where a version of NCCL keeps the triple.
type layout struct {
	candidates []int           // offsets that fit every communicator that was learnt from
	learnt     map[[2]int]bool // their ranks and sizes
	confirmed  bool            // a hash that could be computed was at the only one
}

// known is a communicator of which rank and size are known.
type known struct {
	rank, size int
	hash       uint64 // as NCCL up to 2.25 computes it from the unique id; 0: there is none
}

// learn drops the places that do not fit a communicator. Where no place is in it at
// all, it is not filled in yet, and says nothing. If it contradicts all that was
// learnt before, learning begins anew with it: the others may not have been filled
// in, and have had what looked like a triple in places.
func (l *layout) learn(memory []byte, k known) {
	found := places(memory, k)
	if at, ok := hashed(memory, found, k); ok {
		l.candidates, l.confirmed = []int{at}, true
		return
	}
	if len(found) == 0 || l.confirmed && !contradicts(memory, l.candidates[0], k) {
		return
	}
	l.confirmed = false
	l.candidates = slices.DeleteFunc(l.candidates, func(at int) bool { return !fits(memory, at, k) })
	if len(l.candidates) == 0 {
		l.candidates, l.learnt = found, make(map[[2]int]bool)
	}
	l.learnt[[2]int{k.rank, k.size}] = true
}

// contradicts reports whether there is the triple of another communicator at an offset.
func contradicts(memory []byte, at int, k known) bool {
	_, ok := tripleAt(memory, at)
	return ok && !fits(memory, at, k)
}

// place returns where the triple is, if only one place is left and there is
// enough evidence for it.
func (l *layout) place() (int, bool) {
	if len(l.candidates) != 1 {
		return 0, false
	}
	return l.candidates[0], l.confirmed || len(l.learnt) >= enough
}

// places returns the offsets at which the triple of k may be.
func places(memory []byte, k known) []int {
	var found []int
	for at := 0; at+tripleSize <= len(memory); at += 8 {
		if fits(memory, at, k) {
			found = append(found, at)
		}
	}
	return found
}

func fits(memory []byte, at int, k known) bool {
	t, ok := tripleAt(memory, at)
	return ok && t.rank == k.rank && t.size == k.size
}

// hashed returns the offset that has the hash of k.
func hashed(memory []byte, candidates []int, k known) (int, bool) {
	if k.hash == 0 {
		return 0, false
	}
	for _, at := range candidates {
		if t, ok := tripleAt(memory, at); ok && t.hash == k.hash {
			return at, true
		}
	}
	return 0, false
}

// triple is what a place in memory says of a communicator.
type triple struct {
	hash       uint64
	rank, size int
}

// tripleAt reads the triple at an offset; not ok where it is none.
func tripleAt(memory []byte, at int) (triple, bool) {
	if at < 0 || at+tripleSize > len(memory) {
		return triple{}, false
	}
	t := triple{
		hash: binary.LittleEndian.Uint64(memory[at:]),
		rank: int(int32(binary.LittleEndian.Uint32(memory[at+8:]))),
		size: int(int32(binary.LittleEndian.Uint32(memory[at+12:]))),
	}
	device := int32(binary.LittleEndian.Uint32(memory[at+16:]))
	plausible := t.hash != 0 && t.size > 0 && t.size <= maxRanks && t.rank >= 0 && t.rank < t.size && device >= 0 && device < maxDevices
	return t, plausible
}

// hashOf is the hash that NCCL up to 2.25 gives a communicator: DJB2 with xor, of
// the unique id, whose bytes are of the C type char.
func hashOf(id []byte) uint64 {
	hash := uint64(5381)
	for _, b := range id {
		hash = hash*33 ^ uint64(char(b))
	}
	return hash
}
