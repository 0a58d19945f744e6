package intake

import (
	"hash/maphash"
	"strings"

	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/collective"
	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/recent"
	"github.com/gpucause/gpucause/internal/event"
)

// Reader reads spans. It is for one goroutine.
type Reader struct {
	strings   *recent.Map[string, string]
	processes *recent.Map[uint64, *collective.Process] // by the hash of what is kept of the resource
	seed      maphash.Seed
	states    map[string]event.LedgerState
	dropped   uint64
	fields    fields // of the span being read
}

// NewReader returns a Reader.
func NewReader() *Reader {
	r := &Reader{
		strings:   recent.NewMap[string, string](maxStrings, nil),
		processes: recent.NewMap[uint64](maxProcesses, processBytes),
		seed:      maphash.MakeSeed(),
		states:    ledgerStates(),
	}
	r.processes.OnForget(bare)
	return r
}

// collectiveWait is the state of waiting for collectives. It is left out of the
// ledgers: it is what arrivals are judged by, and explains none.
const collectiveWait = "collective_wait"

func ledgerStates() map[string]event.LedgerState {
	states := make(map[string]event.LedgerState)
	for state := range event.LedgerStates {
		if name := state.String(); name != collectiveWait {
			states[name] = state
		}
	}
	return states
}

// DroppedAttributes returns how many attributes of resources were left out, for
// what they take or what all of a resource take.
func (r *Reader) DroppedAttributes() uint64 { return r.dropped }

// Forgotten returns how many processes were forgotten for want of room.
func (r *Reader) Forgotten() uint64 { return r.processes.Forgotten() }

// intern returns text, of at most maxIdentifier bytes, in memory that is shared by
// all who have the same.
func (r *Reader) intern(text string) string {
	if text == "" {
		return ""
	}
	if known, ok := r.strings.Get(text); ok {
		return known
	}
	text = strings.Clone(text)
	r.strings.Set(text, text)
	return text
}
