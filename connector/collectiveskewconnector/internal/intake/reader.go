package intake

import (
	"hash/maphash"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/collective"
	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/recent"
	"github.com/gpucause/gpucause/internal/event"
)

// Reader reads spans. It is for one goroutine.
type Reader struct {
	strings   *recent.Map[string, string]
	processes *recent.Map[uint64, *collective.Process]
	seed      maphash.Seed
	states    map[string]event.LedgerState
	dropped   uint64
	fields    fields // of the span being read
}

// NewReader returns a Reader.
func NewReader() *Reader {
	return &Reader{
		strings:   recent.NewMap[string, string](maxStrings, nil),
		processes: recent.NewMap[uint64, *collective.Process](maxProcesses, nil),
		seed:      maphash.MakeSeed(),
		states:    ledgerStates(),
	}
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
// their number or their length.
func (r *Reader) DroppedAttributes() uint64 { return r.dropped }

// intern returns text in memory that is shared by all who have the same.
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

// Process returns the process that a resource describes. The same resource gives
// the same process for as long as it is in use.
func (r *Reader) Process(resource pcommon.Resource) *collective.Process {
	key := r.hash(resource.Attributes())
	if known, ok := r.processes.Get(key); ok {
		return known
	}
	p := r.describe(resource.Attributes())
	r.processes.Set(key, p)
	return p
}

// hash tells resources apart, in whatever order their attributes are; nothing
// depends on its value.
func (r *Reader) hash(attributes pcommon.Map) uint64 {
	var h maphash.Hash
	h.SetSeed(r.seed)
	var sum uint64
	for key, value := range attributes.All() {
		h.Reset()
		_, _ = h.WriteString(key)
		_ = h.WriteByte(byte(value.Type()))
		switch value.Type() {
		case pcommon.ValueTypeStr:
			_, _ = h.WriteString(value.Str())
		case pcommon.ValueTypeInt:
			maphash.WriteComparable(&h, value.Int())
		default:
			_, _ = h.WriteString(value.AsString())
		}
		sum += h.Sum64()
	}
	return sum
}

func (r *Reader) describe(attributes pcommon.Map) *collective.Process {
	p := &collective.Process{Resource: pcommon.NewMap()}
	for key, value := range attributes.All() {
		if p.Resource.Len() == maxAttributes || !small(key, value) {
			r.dropped++
			continue
		}
		value.CopyTo(p.Resource.PutEmpty(strings.Clone(key)))
	}
	p.HostName = stringOf(p.Resource, attrHostName)
	p.Clock = r.clock(stringOf(p.Resource, attrHostID), p.HostName)
	if pid, ok := p.Resource.Get(attrPID); ok {
		p.PID = max(0, pid.Int())
	}
	return p
}

// clock names the clock of a host. Machines made from one image may share their
// id, and are told apart by their names.
func (r *Reader) clock(id, name string) string {
	if id == "" && name == "" {
		return ""
	}
	return r.intern(id + "\x00" + name)
}

// small reports whether an attribute is of a size that a resource's has.
func small(key string, value pcommon.Value) bool {
	switch value.Type() {
	case pcommon.ValueTypeStr:
		return len(key)+len(value.Str()) <= maxValue
	case pcommon.ValueTypeSlice, pcommon.ValueTypeMap, pcommon.ValueTypeBytes:
		return len(key)+len(value.AsString()) <= maxValue
	default:
		return len(key) <= maxValue
	}
}

// stringOf returns the text at key, "" where there is none.
func stringOf(attributes pcommon.Map, key string) string {
	if value, ok := attributes.Get(key); ok {
		return value.Str()
	}
	return ""
}
