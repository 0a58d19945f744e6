package processcontext

import "errors"

// Context is what a process publishes. The zero value is nothing.
type Context struct {
	// Resource has string, bool, int64 and float64 values, safe to show; what has
	// another type is left out. It has at most 128 attributes.
	Resource map[string]any
	// ThreadSchema is how its threads publish what they do (OTEP 4947,
	// threadlocal.schema_version), or "" where it does not say.
	ThreadSchema string
}

// Errors of a process context that is there and cannot be used.
var (
	ErrMalformed = errors.New("malformed process context")
	ErrVersion   = errors.New("unknown version of the process context")
	ErrUpdating  = errors.New("the process context is being written")
)
