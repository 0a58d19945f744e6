package spans

import (
	"crypto/sha256"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/join"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/request"
)

// What tells spans with the same parent apart.
const (
	kindChild    = 'c'
	kindSummary  = 's'
	kindBackLink = 'b'
)

// hashed returns a span id that follows from its parts. It is never zero.
func hashed(kind byte, parts ...[]byte) pcommon.SpanID {
	data := make([]byte, 0, 64)
	data = append(data, kind)
	for _, part := range parts {
		data = append(data, part...)
	}
	sum := sha256.Sum256(data)
	id := pcommon.SpanID(sum[:8])
	if id.IsEmpty() {
		id[7] = 1
	}
	return id
}

// childID is unique: a request meets a stall once.
func childID(r *request.Request, h *join.Hit) pcommon.SpanID {
	return hashed(kindChild, r.Trace[:], r.Span[:], h.Trace[:], h.Root[:])
}

func summaryID(r *request.Request) pcommon.SpanID {
	return hashed(kindSummary, r.Trace[:], r.Span[:])
}

// backLinkID is unique: a request is linked to from a stall once, and the first
// of the linked requests is in no other span of that stall.
func backLinkID(h *join.Hit, first *request.Request) pcommon.SpanID {
	return hashed(kindBackLink, h.Trace[:], h.Root[:], first.Trace[:], first.Span[:])
}
