package processcontext

import (
	"encoding/binary"
	"fmt"
)

const (
	signature      = "OTEL_CTX"
	headerSize     = 32
	version        = 2
	maxPayloadSize = 64 << 10 // some kilobytes are usual
)

// header is the fixed part of a process context: signature, version, size,
// time of publication (0: it is being written), address of the payload.
type header struct {
	size      uint32
	published uint64
	payload   uint64
}

// parseHeader reads a header, in the machine's byte order.
func parseHeader(raw *[headerSize]byte) (header, error) {
	if string(raw[:len(signature)]) != signature {
		return header{}, fmt.Errorf("%w: no signature", ErrMalformed)
	}
	if v := binary.NativeEndian.Uint32(raw[8:]); v != version {
		return header{}, fmt.Errorf("%w: %d", ErrVersion, v)
	}
	h := header{
		size:      binary.NativeEndian.Uint32(raw[12:]),
		published: binary.NativeEndian.Uint64(raw[16:]),
		payload:   binary.NativeEndian.Uint64(raw[24:]),
	}
	switch {
	case h.published == 0:
		return header{}, ErrUpdating
	case h.size > maxPayloadSize:
		return header{}, fmt.Errorf("%w: payload of %d bytes", ErrMalformed, h.size)
	}
	return h, nil
}
