package processcontext

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
)

// message is a message of fields that are put together by put.
type message []byte

func (m message) put(id protowire.Number, content []byte) message {
	return protowire.AppendBytes(protowire.AppendTag(m, id, protowire.BytesType), content)
}

func (m message) number(id protowire.Number, n uint64) message {
	return protowire.AppendVarint(protowire.AppendTag(m, id, protowire.VarintType), n)
}

func text(s string) message { return message{}.put(1, []byte(s)) }

func pair(key string, value message) message { return message{}.put(1, []byte(key)).put(2, value) }

// of returns a ProcessContext with these attributes of its resource.
func of(pairs ...message) message {
	var resource message
	for _, p := range pairs {
		resource = resource.put(1, p)
	}
	return message{}.put(1, resource)
}

func TestDecode(t *testing.T) {
	double := protowire.AppendFixed64(protowire.AppendTag(nil, 4, protowire.Fixed64Type), math.Float64bits(0.5))
	negative := int64(-3)
	payload := of(
		pair("service.name", text("trainer")),
		pair("flag", message{}.number(2, 1)),
		pair("number", message{}.number(3, uint64(negative))),
		pair("ratio", double),
		pair("list", message{}.put(5, message{}.put(1, text("a")))),
		pair("bytes", message{}.put(7, []byte{1, 2})),
		pair("nothing", nil),
		pair("hostile", text("a\x1b[2Jb\xff")),
		pair("last one counts", text("x").number(2, 0)),
	).
		put(2, pair("threadlocal.schema_version", text("tls_v1"))).
		put(2, pair("threadlocal.attribute_key_map", message{}.put(5, nil))).
		put(15, []byte("a field of a later version")).
		number(16, 7)
	c, err := decode(payload)
	require.NoError(t, err)
	assert.Equal(t, Context{
		Resource: map[string]any{
			"service.name": "trainer", "flag": true, "number": int64(-3), "ratio": 0.5,
			"hostile": "a\ufffd[2Jb\ufffd", "last one counts": false,
		},
		ThreadSchema: "tls_v1",
	}, c)
}

func TestResourcesOfOneMessageAreMerged(t *testing.T) {
	c, err := decode(append(of(pair("a", text("1")), pair("b", text("1"))), of(pair("b", text("2")))...))
	require.NoError(t, err)
	assert.Equal(t, map[string]any{"a": "1", "b": "2"}, c.Resource)
}

func TestLongValuesAreCut(t *testing.T) {
	c, err := decode(of(pair("a", text(strings.Repeat("é", maxAttributeValue)))))
	require.NoError(t, err)
	assert.Equal(t, strings.Repeat("é", maxAttributeValue/2), c.Resource["a"])
}

func TestMalformedPayloads(t *testing.T) {
	many := make([]message, 0, maxAttributes+1)
	for n := range maxAttributes + 1 {
		many = append(many, pair(fmt.Sprint("key", n), text("x")))
	}
	whole := of(pair("service.name", text("trainer")))
	for name, payload := range map[string]message{
		"no text":     message("OTEL_CTX is not protobuf"),
		"cut":         whole[:len(whole)-1],
		"no key":      of(message{}.put(2, text("x"))),
		"long key":    of(pair(strings.Repeat("k", maxAttributeKey+1), text("x"))),
		"invalid key": of(pair("a\xff", text("x"))),
		"too many":    of(many...),
		"bad value":   of(message{}.put(1, []byte("a")).put(2, []byte{0xff})),
		"bad schema":  message{}.put(2, message{}.put(2, text("tls_v1"))),
	} {
		t.Run(name, func(t *testing.T) {
			c, err := decode(payload)
			require.ErrorIs(t, err, ErrMalformed)
			assert.Equal(t, Context{}, c)
		})
	}
}

func rawHeader(v, size uint32, published, payload uint64) *[headerSize]byte {
	var raw [headerSize]byte
	copy(raw[:], signature)
	binary.NativeEndian.PutUint32(raw[8:], v)
	binary.NativeEndian.PutUint32(raw[12:], size)
	binary.NativeEndian.PutUint64(raw[16:], published)
	binary.NativeEndian.PutUint64(raw[24:], payload)
	return &raw
}

func TestParseHeader(t *testing.T) {
	h, err := parseHeader(rawHeader(2, 100, 5, 0x7f0000001000))
	require.NoError(t, err)
	assert.Equal(t, header{size: 100, published: 5, payload: 0x7f0000001000}, h)

	_, err = parseHeader(rawHeader(3, 100, 5, 1))
	require.ErrorIs(t, err, ErrVersion)
	_, err = parseHeader(rawHeader(2, 100, 0, 1))
	require.ErrorIs(t, err, ErrUpdating)
	_, err = parseHeader(rawHeader(2, maxPayloadSize+1, 5, 1))
	require.ErrorIs(t, err, ErrMalformed)
	_, err = parseHeader(&[headerSize]byte{})
	require.ErrorIs(t, err, ErrMalformed)
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(of(pair("service.name", text("trainer")), pair("n", message{}.number(3, 1)))))
	f.Add([]byte(message{}.put(2, pair("threadlocal.schema_version", text("tls_v1")))))
	f.Add([]byte{0x0b, 0x0c})
	f.Fuzz(func(t *testing.T, payload []byte) {
		c, err := decode(payload)
		if err != nil && (c.Resource != nil || c.ThreadSchema != "") {
			t.Fatal("something is taken of a malformed payload")
		}
		if len(c.Resource) > maxAttributes {
			t.Fatalf("%d attributes", len(c.Resource))
		}
		for _, value := range c.Resource {
			switch value.(type) {
			case string, bool, int64, float64:
			default:
				t.Fatalf("%T", value)
			}
		}
	})
}

// What the Go types that are generated from opentelemetry-proto 1.11 make of a
// resource and an attribute, as a ProcessContext has them.
const generated = "\n\x7f\n\x19\n\fservice.name\x12\t\n\atrainer\n\x17\n\breplicas\x12\v\x18\xfd\xff\xff\xff\xff\xff\xff\xff\xff\x01" +
	"\n\x12\n\x05ratio\x12\t!\x00\x00\x00\x00\x00\x00\xe0?\n\t\n\x03gpu\x12\x02\x10\x01\n\x0f\n\x04tags\x12\a*\x05\n\x03\n\x01a" +
	"\x10\x02\x1a\x17\x12\aservice\x1a\fservice.name\x12.\n\x1athreadlocal.schema_version\x12\x10\n\x0etlsdesc_v1_dev"

func TestDecodeGenerated(t *testing.T) {
	c, err := decode([]byte(generated))
	require.NoError(t, err)
	assert.Equal(t, Context{
		Resource:     map[string]any{"service.name": "trainer", "replicas": int64(-3), "ratio": 0.5, "gpu": true},
		ThreadSchema: "tlsdesc_v1_dev",
	}, c)
}
