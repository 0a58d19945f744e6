package intake

import (
	"fmt"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

func TestAttributesOfAResourceAreBounded(t *testing.T) {
	r := NewReader()
	p := r.Process(resource(map[string]any{
		"host.name": "a", "text": strings.Repeat("x", 1000),
		"long": strings.Repeat("x", 2000), strings.Repeat("k", 2000): 1, "bytes": make([]byte, 2000),
		"list": []any{strings.Repeat("x", 2000)}, "many": make([]any, 50), "map": map[string]any{strings.Repeat("x", 2000): 1},
	}))
	assert.Equal(t, 2, p.Resource.Len())
	assert.EqualValues(t, 6, r.DroppedAttributes())
}

func TestResourcesAreBounded(t *testing.T) {
	r := NewReader()
	attributes := pcommon.NewResource()
	for i := range 500 {
		attributes.Attributes().PutStr(fmt.Sprintf("%0100d", i), "value")
	}
	attributes.Attributes().PutStr("host.name", "a")
	attributes.Attributes().PutStr("host.id", "1")
	attributes.Attributes().PutInt("process.pid", 5)
	p := r.Process(attributes)
	assert.Equal(t, "a", p.HostName)
	assert.Equal(t, "1", p.HostID)
	assert.EqualValues(t, 5, p.PID, "what identifies a process is kept before all others")
	assert.LessOrEqual(t, processBytes(p), maxResource+512)
	assert.Greater(t, p.Resource.Len(), 30)
	assert.EqualValues(t, attributes.Attributes().Len()-p.Resource.Len(), r.DroppedAttributes())
}

func TestNamesThatAreNoneAreLeftOut(t *testing.T) {
	p := NewReader().Process(resource(map[string]any{"host.name": strings.Repeat("a", 500), "host.id": strings.Repeat("1", 500)}))
	assert.Empty(t, p.HostName)
	assert.Empty(t, p.HostID)
	assert.Empty(t, p.Clock)
	assert.Zero(t, p.Resource.Len())
}

func TestWhatIsNotKeptTellsNoProcessesApart(t *testing.T) {
	r := NewReader()
	with := func(value byte) pcommon.Resource {
		return resource(map[string]any{"host.name": "a", "dump": strings.Repeat(string(value), 2000)})
	}
	assert.Same(t, r.Process(with('x')), r.Process(with('y')))
}

// TestNoTextOfAResourceIsKept looks where the texts of a copy are.
func TestNoTextOfAResourceIsKept(t *testing.T) {
	message := "host.name=a;list=element;map=k:v"
	part := func(text string) string {
		i := strings.Index(message, text)
		return message[i : i+len(text)]
	}
	from := pcommon.NewResource()
	from.Attributes().PutStr(part("host.name"), part("a"))
	from.Attributes().PutEmptySlice(part("list")).AppendEmpty().SetStr(part("element"))
	from.Attributes().PutEmptyMap(part("map")).PutStr(part("k"), part("v"))
	p := NewReader().Process(from)
	assert.Equal(t, from.Attributes().AsRaw(), p.Resource.AsRaw())
	list, _ := p.Resource.Get("list")
	nested, _ := p.Resource.Get("map")
	texts := []string{p.HostName, list.Slice().At(0).Str()}
	for key := range p.Resource.All() {
		texts = append(texts, key)
	}
	for key, value := range nested.Map().All() {
		texts = append(texts, key, value.Str())
	}
	assert.Len(t, texts, 7)
	begin := uintptr(unsafe.Pointer(unsafe.StringData(message)))
	for _, text := range texts {
		at := uintptr(unsafe.Pointer(unsafe.StringData(text)))
		assert.False(t, at >= begin && at < begin+uintptr(len(message)), text)
	}
}
