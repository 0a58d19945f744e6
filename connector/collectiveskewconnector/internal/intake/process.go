package intake

import (
	"crypto/sha256"
	"hash/maphash"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/collective"
)

// Process returns the process that a resource describes. The same resource gives
// the same process for as long as it is in use. One that is forgotten keeps what
// identifies it, and loses the rest of its resource.
func (r *Reader) Process(resource pcommon.Resource) *collective.Process {
	key := r.hash(resource.Attributes())
	if known, ok := r.processes.Get(key); ok {
		return known
	}
	p := r.describe(resource.Attributes())
	r.processes.Set(key, p)
	return p
}

// hash tells resources apart by what may be kept of them, in whatever order their
// attributes are; nothing depends on its value.
func (r *Reader) hash(attributes pcommon.Map) uint64 {
	var h maphash.Hash
	h.SetSeed(r.seed)
	var sum uint64
	for key, value := range attributes.All() {
		if !small(key, value) {
			continue
		}
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
	keep, dropped := kept(attributes)
	r.dropped += uint64(dropped)
	p := &collective.Process{Resource: copyOf(keep)}
	p.HostName = stringOf(p.Resource, attrHostName)
	p.HostID = stringOf(p.Resource, attrHostID)
	p.Clock = r.clock(p.HostID, p.HostName)
	if pid, ok := p.Resource.Get(attrPID); ok {
		p.PID = max(0, pid.Int())
	}
	return p
}

// clock names the clock of a host. Machines made from one image may share their
// id, and are told apart by their names. Of a long name it is the hash.
func (r *Reader) clock(id, name string) string {
	if id == "" && name == "" {
		return ""
	}
	clock := id + "\x00" + name
	if len(clock) > maxIdentifier {
		sum := sha256.Sum256([]byte(clock))
		clock = string(sum[:])
	}
	return r.intern(clock)
}

// processBytes returns how much memory a process takes, in bytes, with its place in
// the map of processes.
func processBytes(p *collective.Process) int {
	total := 256
	for key, value := range p.Resource.All() {
		total += attributeBytes(key, value, maxResource)
	}
	return total
}

// bare takes the resource from a process that is forgotten: spans that wait may hold
// it for long, each another one.
func bare(p *collective.Process) { p.Resource = pcommon.NewMap() }

// stringOf returns the text at key, "" where there is none.
func stringOf(attributes pcommon.Map, key string) string {
	if value, ok := attributes.Get(key); ok {
		return value.Str()
	}
	return ""
}
