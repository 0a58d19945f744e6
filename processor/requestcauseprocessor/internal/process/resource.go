package process

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
)

// Bounds of the copy of one resource. The receiver's own are well within.
const (
	maxAttributes    = 128
	maxKey           = 128      // bytes
	maxResourceBytes = 16 << 10 // about, with what an attribute takes besides its text
	attributeBytes   = 64
)

// copyResource copies what is text, a number or a truth value of a resource; long
// text is cut. It returns how many of these attributes had no room.
func copyResource(resource pcommon.Map) (kept pcommon.Map, omitted uint64) {
	kept = pcommon.NewMap()
	room := maxResourceBytes
	for key, value := range resource.All() {
		if !isScalar(value.Type()) {
			continue
		}
		text := textOf(value)
		size := attributeBytes + len(key) + len(text)
		if len(key) > maxKey || size > room || kept.Len() >= maxAttributes {
			omitted++
			continue
		}
		room -= size
		if value.Type() == pcommon.ValueTypeStr {
			kept.PutStr(key, text)
		} else {
			value.CopyTo(kept.PutEmpty(key))
		}
	}
	return kept, omitted
}

func isScalar(t pcommon.ValueType) bool {
	switch t {
	case pcommon.ValueTypeStr, pcommon.ValueTypeInt, pcommon.ValueTypeBool, pcommon.ValueTypeDouble:
		return true
	}
	return false
}
