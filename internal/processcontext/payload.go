package processcontext

import (
	"fmt"
	"math"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/gpucause/gpucause/internal/event"
)

// Bounds on what is taken from a payload.
const (
	maxAttributes     = 128
	maxAttributeKey   = 128 // bytes
	maxAttributeValue = 1024
)

// Fields of the messages (opentelemetry-proto: processcontext.proto,
// resource.proto, common.proto).
const (
	contextResource   protowire.Number = 1
	contextAttributes protowire.Number = 2

	resourceAttributes protowire.Number = 1

	pairKey   protowire.Number = 1
	pairValue protowire.Number = 2

	valueString protowire.Number = 1
	valueBool   protowire.Number = 2
	valueInt    protowire.Number = 3
	valueDouble protowire.Number = 4
)

const keyThreadSchema = "threadlocal.schema_version"

// decode reads a ProcessContext message. Nothing is taken of one that is
// malformed or has too many attributes.
func decode(payload []byte) (Context, error) {
	c := Context{Resource: make(map[string]any)}
	err := eachField(payload, func(f field) error {
		switch {
		case f.is(contextResource, protowire.BytesType):
			return eachField(f.bytes, c.resourceField)
		case f.is(contextAttributes, protowire.BytesType):
			return c.attribute(f.bytes)
		}
		return nil
	})
	if err != nil {
		return Context{}, err
	}
	return c, nil
}

func (c *Context) resourceField(f field) error {
	if !f.is(resourceAttributes, protowire.BytesType) {
		return nil
	}
	key, value, err := decodePair(f.bytes)
	if err != nil || value == nil {
		return err
	}
	c.Resource[key] = value
	if len(c.Resource) > maxAttributes {
		return fmt.Errorf("%w: more than %d attributes", ErrMalformed, maxAttributes)
	}
	return nil
}

// attribute takes in what is said of the process beside its resource.
func (c *Context) attribute(pair []byte) error {
	key, value, err := decodePair(pair)
	if schema, ok := value.(string); ok && key == keyThreadSchema {
		c.ThreadSchema = schema
	}
	return err
}

// decodePair reads a KeyValue message. The value is nil where its type is none of
// those that are taken.
func decodePair(raw []byte) (key string, value any, err error) {
	err = eachField(raw, func(f field) error {
		switch {
		case f.is(pairKey, protowire.BytesType):
			key = string(f.bytes)
		case f.is(pairValue, protowire.BytesType):
			value, err = decodeValue(f.bytes)
			return err
		}
		return nil
	})
	if err == nil && (key == "" || len(key) > maxAttributeKey || !utf8.ValidString(key)) {
		err = fmt.Errorf("%w: key", ErrMalformed)
	}
	return event.Clean(key), value, err
}

// decodeValue reads an AnyValue message, of which the last field counts.
func decodeValue(raw []byte) (value any, err error) {
	err = eachField(raw, func(f field) error {
		switch {
		case f.is(valueString, protowire.BytesType):
			value = event.CleanWithin(string(f.bytes), maxAttributeValue)
		case f.is(valueBool, protowire.VarintType):
			value = f.number != 0
		case f.is(valueInt, protowire.VarintType):
			value = int64(f.number)
		case f.is(valueDouble, protowire.Fixed64Type):
			value = math.Float64frombits(f.number)
		default:
			value = nil
		}
		return nil
	})
	return value, err
}

// field is one field of a message: its bytes, or its number.
type field struct {
	id     protowire.Number
	kind   protowire.Type
	bytes  []byte
	number uint64
}

func (f field) is(id protowire.Number, kind protowire.Type) bool { return f.id == id && f.kind == kind }

// eachField calls visit for the fields of a message.
func eachField(message []byte, visit func(field) error) error {
	for len(message) > 0 {
		f, size := consumeField(message)
		if size < 0 {
			return fmt.Errorf("%w: %w", ErrMalformed, protowire.ParseError(size))
		}
		if err := visit(f); err != nil {
			return err
		}
		message = message[size:]
	}
	return nil
}

// consumeField reads the first field of a message; a negative size is an error.
func consumeField(message []byte) (f field, size int) {
	id, kind, tag := protowire.ConsumeTag(message)
	if tag < 0 {
		return field{}, tag
	}
	f = field{id: id, kind: kind}
	rest := message[tag:]
	switch kind {
	case protowire.BytesType:
		f.bytes, size = protowire.ConsumeBytes(rest)
	case protowire.VarintType:
		f.number, size = protowire.ConsumeVarint(rest)
	case protowire.Fixed64Type:
		f.number, size = protowire.ConsumeFixed64(rest)
	default:
		size = protowire.ConsumeFieldValue(id, kind, rest)
	}
	if size < 0 {
		return field{}, size
	}
	return f, tag + size
}
