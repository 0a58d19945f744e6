package collective

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"

	"github.com/gpucause/gpucause/internal/event"
)

// Key names a communicator, the same on all its ranks and hosts. The zero Key is
// a communicator of which only its own rank knows.
type Key [8]byte

// String returns the value of the attribute nccl.communicator.
func (k Key) String() string { return hex.EncodeToString(k[:]) }

// Known reports whether other ranks have the same key.
func (k Key) Known() bool { return k != Key{} }

// origin is how a communicator came to be; keys of different origins differ.
type origin string

// Origins, each with what its keys are made of.
const (
	originUniqueID origin = "unique_id" // the unique id
	originSplit    origin = "split"     // the parent's key, the how-manieth child it is, the colour
	originShrink   origin = "shrink"    // the parent's key, the how-manieth child it is
	originProcess  origin = "process"   // host, process, and the how-manieth call of ncclCommInitAll
	originHash     origin = "hash"      // what NCCL itself calls it (commHash)
)

// key makes a key of parts, whose lengths are fixed per origin but for the last.
func (o origin) key(parts ...[]byte) Key {
	hash := sha256.New()
	hash.Write([]byte("gpucause/nccl/" + o))
	for _, part := range parts {
		hash.Write([]byte{0})
		hash.Write(part)
	}
	var k Key
	copy(k[:], hash.Sum(nil))
	if !k.Known() {
		k[0] = 1
	}
	return k
}

func number(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func uniqueIDKey(identity *[event.IdentitySize]byte) Key {
	return originUniqueID.key(identity[:])
}

// hasIdentity reports whether there is a unique id.
func hasIdentity(identity *[event.IdentitySize]byte) bool {
	return *identity != [event.IdentitySize]byte{}
}

// HashKey is the key of a communicator of which only NCCL's own hash is known.
func HashKey(commHash uint64) Key { return originHash.key(number(commHash)) }
