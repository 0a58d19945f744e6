package intake

import (
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// Bounds of what is kept of a resource, in bytes of memory as [attributeBytes]
// counts them.
const (
	maxResource  = 8 << 10
	maxAttribute = 1280 // a text of some 1000 bytes
	maxIdentity  = 384  // of an attribute of identity: names have 253 bytes at most
)

// identity are the attributes that tell a process from others. They are kept before
// all others.
var identity = []string{attrHostName, attrHostID, attrPID}

// attribute is one of a resource. Both parts are the resource's.
type attribute struct {
	key   string
	value pcommon.Value
}

// kept returns the attributes of a resource that are kept: those of identity, and of
// the others as many as fit, in their order; and how many are not.
func kept(attributes pcommon.Map) (keep []attribute, dropped int) {
	room := maxResource
	for _, key := range identity {
		if value, ok := attributes.Get(key); ok && small(key, value) {
			keep = append(keep, attribute{key, value})
			room -= attributeBytes(key, value, maxIdentity)
		}
	}
	for key, value := range attributes.All() {
		if slices.Contains(identity, key) || !small(key, value) {
			continue
		}
		if taken := attributeBytes(key, value, room); taken <= room {
			keep = append(keep, attribute{key, value})
			room -= taken
		}
	}
	return keep, attributes.Len() - len(keep)
}

// small reports whether an attribute is of a size that a resource's has.
func small(key string, value pcommon.Value) bool {
	limit := maxAttribute
	if slices.Contains(identity, key) {
		limit = maxIdentity
	}
	return attributeBytes(key, value, limit) <= limit
}

// attributeBytes returns how much memory a copy of an attribute takes, in bytes. Of
// what takes more than limit it looks only at so much that the result is more, too.
func attributeBytes(key string, value pcommon.Value, limit int) int {
	total := 24 + textBytes(len(key))
	return total + valueBytes(value, limit-total)
}

// valueBytes is [attributeBytes] without the key. The recursion is as deep as limit
// allows.
func valueBytes(value pcommon.Value, limit int) int {
	total := 32
	switch value.Type() {
	case pcommon.ValueTypeStr:
		total += textBytes(len(value.Str()))
	case pcommon.ValueTypeBytes:
		total += 32 + textBytes(value.Bytes().Len())
	case pcommon.ValueTypeSlice:
		total += 32
		for _, element := range value.Slice().All() {
			if total > limit {
				break
			}
			total += valueBytes(element, limit-total)
		}
	case pcommon.ValueTypeMap:
		total += 32
		for key, element := range value.Map().All() {
			if total > limit {
				break
			}
			total += attributeBytes(key, element, limit-total)
		}
	default:
	}
	return total
}

// textBytes is what is allocated for n bytes, at most or little less.
func textBytes(n int) int { return n + n/8 + 16 }

// copyOf returns a map of attributes that shares no memory with them.
func copyOf(attributes []attribute) pcommon.Map {
	m := pcommon.NewMap()
	m.EnsureCapacity(len(attributes))
	for _, a := range attributes {
		copyValue(a.value, m.PutEmpty(strings.Clone(a.key)))
	}
	return m
}

// copyValue copies texts, too, which [pcommon.Value.CopyTo] shares.
func copyValue(from, to pcommon.Value) {
	switch from.Type() {
	case pcommon.ValueTypeStr:
		to.SetStr(strings.Clone(from.Str()))
	case pcommon.ValueTypeSlice:
		elements := to.SetEmptySlice()
		elements.EnsureCapacity(from.Slice().Len())
		for _, element := range from.Slice().All() {
			copyValue(element, elements.AppendEmpty())
		}
	case pcommon.ValueTypeMap:
		elements := to.SetEmptyMap()
		elements.EnsureCapacity(from.Map().Len())
		for key, element := range from.Map().All() {
			copyValue(element, elements.PutEmpty(strings.Clone(key)))
		}
	default:
		from.CopyTo(to)
	}
}
